-- What row security keeps from the role that asks; stands behind needed (position, privileges,
-- object), the list of privileges.sql, as the parts of a WITH. A table is found by the search_path,
-- or in the schema that has the tables but that the role may not use, which looks as if there were
-- none. Cheap: it reads a few rows of the catalog, and no table of ours.
path AS (
    SELECT n.oid, n.nspname, s.position, has_schema_privilege(n.oid, 'USAGE') AS is_usable
    FROM unnest(CASE WHEN $1::text <> '' THEN ARRAY[$1::text]
                ELSE string_to_array(current_setting('search_path'), ',') END)
         WITH ORDINALITY AS s (name, position)
    JOIN pg_namespace n ON n.nspname = CASE
        WHEN $1::text <> '' THEN s.name
        WHEN btrim(s.name) = '"$user"' THEN current_user::text
        ELSE replace(btrim(btrim(s.name), '"'), '""', '"') END
), home AS (
    SELECT p.oid, p.nspname, p.is_usable FROM path p
    WHERE EXISTS (SELECT FROM pg_class c
                  WHERE c.relnamespace = p.oid AND c.relname = 'postrider_migrations')
    ORDER BY p.is_usable DESC, p.position LIMIT 1
), relations AS (
    SELECT n.position, n.privileges, n.object, coalesce(to_regclass(n.object)::oid, (
        SELECT c.oid FROM pg_class c, home h
        WHERE c.relnamespace = h.oid AND c.relname = n.object)) AS relation
    FROM needed n WHERE n.object NOT LIKE 'SCHEMA %' AND n.object NOT LIKE 'FUNCTION %'
), policed AS (
    -- hidden: the commands for which a policy could hide a row or refuse one. What is plainly true is
    -- known to do neither; what else an expression may come to, nobody knows.
    SELECT r.*, ARRAY(
        SELECT c.command
        FROM (VALUES ('r'::"char", 'SELECT'), ('a', 'INSERT'), ('w', 'UPDATE'), ('d', 'DELETE'))
             AS c (letter, command)
        LEFT JOIN LATERAL (
            SELECT bool_or(p.polpermissive AND s.is_plain) AS is_open,
                   bool_or(NOT p.polpermissive AND NOT s.is_plain) AS is_restricted
            FROM pg_policy p
            CROSS JOIN LATERAL (
                SELECT (c.letter = 'a' OR coalesce(pg_get_expr(polqual, polrelid), '') = 'true')
                       AND (c.letter NOT IN ('a', 'w')
                            OR coalesce(pg_get_expr(polwithcheck, polrelid),
                                        pg_get_expr(polqual, polrelid), '') = 'true') AS is_plain
            ) s
            WHERE p.polrelid = r.relation AND p.polcmd IN ('*', c.letter)
              AND EXISTS (SELECT FROM unnest(p.polroles) AS role
                          WHERE role = 0 OR pg_has_role(role, 'USAGE'))
        ) p ON true
        WHERE p.is_open IS NOT TRUE OR p.is_restricted) AS hidden
    FROM relations r WHERE row_security_active(r.relation)
)
