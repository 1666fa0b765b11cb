-- All that a worker needs of its database, as the role that asks sees it: one row for each, with what
-- is wrong and what to do about it, or NULL where nothing is. Stands behind privileges.sql and
-- row_security.sql. "postrider check --database", "status", the worker's start and its loop ask this
-- (db/requirements.h). The privileges behind the eighth place are for retention, audits, alerts and being
-- woken: a worker sends without them, as one does whose schema was upgraded without a new grant.
-- $1: database.schema; $2: the options of
-- commands that can be pasted (base/hint.h).
, asking AS (
    -- As a shell reads it, and without a backslash in a literal, which settings could give a meaning.
    SELECT 'let the owner of the tables run: postrider migrate --grant '
           || CASE WHEN current_user ~ '^[A-Za-z0-9_./@%+=:-]+$' THEN current_user
                   ELSE '''' || replace(current_user, '''', '''"''"''') || '''' END
           || $2::text AS grant_hint
), parts AS (
    SELECT r.*, part, split_part(part, ' (', 1) AS privilege,
           substring(part FROM '[(](.*)[)]') AS columns
    FROM relations r, regexp_split_to_table(r.privileges, ', (?![^(]*[)])') AS part
), granted AS (
    -- A privilege on some columns is one on each of them.
    SELECT position, object, privileges, relation,
           string_agg(part, ', ') FILTER (WHERE NOT coalesce(CASE
               WHEN columns IS NULL THEN has_table_privilege(relation, privilege)
               ELSE (SELECT bool_and(has_column_privilege(relation, name, privilege))
                     FROM regexp_split_to_table(columns, ', ') AS name) END, false)) AS missing
    FROM parts GROUP BY position, object, privileges, relation
), functions AS (
    -- One that is not there is not granted either. In a schema that the role may not use it is found by its name, as
    -- tables are: what is missing there is told once.
    SELECT position, object, privileges, coalesce(has_function_privilege(coalesce(
               to_regprocedure(substr(object, length('FUNCTION ') + 1))::oid,
               (SELECT p.oid FROM pg_proc p, home h WHERE p.pronamespace = h.oid AND NOT h.is_usable
                AND p.proname = substring(object FROM '^FUNCTION ([a-z_]+)') LIMIT 1)), privileges), false) AS is_granted
    FROM needed WHERE object LIKE 'FUNCTION %'
), hiding AS (
    SELECT p.*, c.relowner = (SELECT oid FROM pg_roles WHERE rolname = current_user) AS is_owner,
           format('%I.%I', n.nspname, c.relname) AS name,
           EXISTS (SELECT FROM pg_policy q
                   WHERE q.polrelid = p.relation AND NOT q.polpermissive) AS is_restricted,
           (SELECT string_agg(command, ', ') FROM unnest(p.hidden) AS command
            WHERE p.privileges LIKE '%' || command || '%') AS commands
    FROM policed p JOIN pg_class c ON c.oid = p.relation JOIN pg_namespace n ON n.oid = c.relnamespace
)
SELECT kind, object, privileges, problem, action, part <> 1 OR position <= 8 AS is_essential FROM (
    SELECT 1 AS part, 0 AS position, 'schema' AS kind, format('SCHEMA %I', nspname) AS object,
           'USAGE' AS privileges,
           CASE WHEN NOT is_usable THEN format(
               'SCHEMA %I: the role "%s" lacks USAGE, so that its tables seem not to be there',
               nspname, current_user) END AS problem,
           CASE WHEN NOT is_usable THEN grant_hint END AS action
    FROM home, asking
    UNION ALL
    SELECT 1, position, CASE WHEN relation IS NULL THEN 'table' ELSE 'privileges' END, object,
           privileges,
           CASE WHEN relation IS NULL THEN object || ': the table is not there'
                WHEN missing IS NOT NULL
                THEN format('%s: the role "%s" lacks %s', object, current_user, missing) END,
           CASE WHEN relation IS NULL
                THEN 'it was dropped, or is in another schema than database.schema says'
                WHEN missing IS NOT NULL THEN grant_hint END
    FROM granted, asking
    UNION ALL
    SELECT 1, position, 'privileges', object, privileges,
           CASE WHEN NOT is_granted THEN format(
               '%s: the role "%s" lacks %s', object, current_user, privileges) END,
           CASE WHEN NOT is_granted THEN grant_hint END
    FROM functions, asking
    UNION ALL
    SELECT 2, position, 'row_security', object, privileges,
           CASE WHEN commands IS NOT NULL THEN format(
               '%s: row security may hide rows from the role "%s", or refuse what it writes (%s)',
               object, current_user, commands) END,
           CASE WHEN commands IS NULL THEN NULL
                WHEN is_owner THEN format(
                    'as its owner run: ALTER TABLE %s NO FORCE ROW LEVEL SECURITY;', name)
                WHEN is_restricted THEN format(
                    'as a superuser run: ALTER ROLE %I BYPASSRLS;', current_user)
                ELSE format('as the owner of the table run: CREATE POLICY %I ON %s TO %I USING (true);'
                            ' or as a superuser: ALTER ROLE %I BYPASSRLS;',
                            'postrider_' || current_user, name, current_user, current_user) END
    FROM hiding
    UNION ALL
    -- Only a superuser can have given the role this one, or take it away.
    SELECT 3, 0, 'setting', 'session_replication_role', 'origin',
           CASE WHEN setting = 'replica' THEN format(
               'session_replication_role is "replica" for the role "%s", so that no trigger sees what it'
               ' writes', current_user) END,
           CASE WHEN setting = 'replica' THEN format(
               'as a superuser run: ALTER ROLE %I RESET session_replication_role; or where it was set'
               ' for the database: ALTER DATABASE %I RESET session_replication_role;',
               current_user, current_database()) END
    FROM pg_settings WHERE name = 'session_replication_role'
    UNION ALL
    -- Answers and errors of receivers, URLs and payloads hold what only UTF8 can store; and SQL_ASCII
    -- stores bytes of which nobody knows what they mean.
    SELECT 3, 1, 'setting', 'server_encoding', 'UTF8',
           CASE WHEN setting <> 'UTF8' THEN format(
               'the encoding of the database is %s, in which not every text can be stored; it must be UTF8',
               setting) END,
           CASE WHEN setting <> 'UTF8' THEN
               'dump it, and restore it into a database that was made so: CREATE DATABASE postrider'
               ' TEMPLATE template0 ENCODING ''UTF8'';' END
    FROM pg_settings WHERE name = 'server_encoding'
) AS requirement ORDER BY part, position
