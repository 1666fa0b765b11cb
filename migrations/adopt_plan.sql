-- What it takes to adopt the tables that an application made before Postrider: functions that
-- db/adopt.c makes, asks and drops again. postrider_adopt_plan() returns lines:
--   ('note', sentence, NULL)
--   ('obstacle', what is wrong, what to do)   with one of these no step is taken
--   ('step', sentence, SQL)                   NULL: the SQL of a later step does it too
-- Within the plan there are also ('part', NULL, SQL) and steps whose SQL is a part of the one
-- ALTER TABLE that changes webhook_deliveries, so that it is written anew at most once.

CREATE TYPE postrider_adopt_line AS (kind text, description text, statement text);

CREATE FUNCTION postrider_adopt_say(kind text, description text, statement text)
RETURNS postrider_adopt_line LANGUAGE sql AS $$
    SELECT ROW(kind, description, statement)::postrider_adopt_line
$$;

-- The columns that 0001_deliveries.sql gives webhook_deliveries. accepted: types that stay as they
-- are. fallback: what a NULL becomes; '' = it is an obstacle. wanted: the default, '' = none.
CREATE FUNCTION postrider_adopt_shape()
RETURNS TABLE (ordinal int, name text, type text, accepted text[], required boolean,
               forbids_null boolean, fallback text, wanted text) LANGUAGE sql AS $$
    VALUES
    (1, 'id', 'uuid', '{uuid}'::text[], true, true, '', 'gen_random_uuid()'),
    (2, 'event_id', 'uuid', '{uuid}', true, true, '', ''),
    (3, 'customer_id', 'uuid', '{uuid}', true, true, '', ''),
    (4, 'webhook_url', 'character varying', '{character varying,text}', true, true, '', ''),
    (5, 'payload', 'jsonb', '{jsonb}', true, true, '', ''),
    (6, 'event_type', 'character varying', '{character varying,text}', false, true,
        '''''', ''''''),
    (7, 'status', 'character varying', '{character varying,text}', true, true,
        '''pending''', '''pending'''),
    (8, 'attempts', 'integer', '{integer}', false, true, '0', '0'),
    (9, 'last_attempt_at', 'timestamp with time zone', '{timestamp with time zone}',
        false, false, '', ''),
    (10, 'next_retry_at', 'timestamp with time zone', '{timestamp with time zone}',
        false, true, 'now()', 'clock_timestamp()'),
    (11, 'created_at', 'timestamp with time zone', '{timestamp with time zone}',
        false, true, 'now()', 'now()'),
    (12, 'response_status', 'integer', '{integer}', false, false, '', ''),
    (13, 'last_error', 'character varying', '{character varying,text}', false, false, '', '')
$$;

-- Beside them the columns that the table has; given NULL: it has none of that name.
-- given_limit: a length or a precision.
CREATE FUNCTION postrider_adopt_compare(deliveries regclass)
RETURNS TABLE (name text, type text, accepted text[], required boolean, forbids_null boolean,
               fallback text, wanted text, given text, given_limit boolean, given_null boolean,
               given_default text) LANGUAGE sql AS $$
    SELECT s.name, s.type, s.accepted, s.required, s.forbids_null, s.fallback, s.wanted,
           format_type(a.atttypid, NULL), a.atttypmod >= 0, NOT a.attnotnull,
           pg_get_expr(d.adbin, d.adrelid)
    FROM postrider_adopt_shape() s
    LEFT JOIN pg_attribute a
        ON a.attrelid = deliveries AND a.attname = s.name AND a.attnum > 0 AND NOT a.attisdropped
    LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    ORDER BY s.ordinal
$$;

-- {"column": number of its NULLs}, for the columns that allow them and should not.
CREATE FUNCTION postrider_adopt_nulls(deliveries regclass) RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    counts text;
    nulls jsonb := '{}';
BEGIN
    SELECT string_agg(format('%L, count(*) FILTER (WHERE %I IS NULL)', c.name, c.name), ', ')
    INTO counts
    FROM postrider_adopt_compare(deliveries) c WHERE c.forbids_null AND c.given_null;
    IF counts IS NOT NULL THEN
        EXECUTE format('SELECT jsonb_build_object(%s) FROM %s', counts, deliveries) INTO nulls;
    END IF;
    RETURN nulls;
END
$$;

CREATE FUNCTION postrider_adopt_words(names text[]) RETURNS text LANGUAGE sql AS $$
    SELECT CASE WHEN cardinality(names) < 2 THEN names[1]
                ELSE array_to_string(names[:cardinality(names) - 1], ', ') || ' and '
                     || names[cardinality(names)] END
$$;

CREATE FUNCTION postrider_adopt_count(number bigint) RETURNS text LANGUAGE sql AS $$
    SELECT CASE number WHEN 1 THEN '1 row' ELSE number || ' rows' END
$$;

-- What retention would delete at once, and how old that is.
CREATE FUNCTION postrider_adopt_would_go(delivered bigint, failed bigint, delivered_age text,
                                         failed_age text) RETURNS text LANGUAGE sql AS $$
    SELECT CASE WHEN delivered_age = '0' AND failed_age = '0'
        THEN 'Retention is off: retention.delivered and retention.failed are 0.'
        ELSE format('Retention would delete %s at once (%s), and others when they are as old.',
                    postrider_adopt_count(delivered + failed), concat_ws(', ',
                        format('%s delivered and older than ' || NULLIF(delivered_age, '0'),
                               delivered),
                        format('%s failed and older than ' || NULLIF(failed_age, '0'), failed)))
        END
$$;

-- What the migrations make, by its name; migrations is their text. Not what they give no name to.
CREATE FUNCTION postrider_adopt_made(migrations text) RETURNS TABLE (kind text, name text)
LANGUAGE sql AS $$
    SELECT DISTINCT m[1], m[2]
    FROM regexp_matches(migrations, '^ *CREATE (?:UNIQUE )?(TABLE|INDEX|SEQUENCE|VIEW|FUNCTION|TRIGGER)'
                                    ' (?:CONCURRENTLY )?(?:IF NOT EXISTS )?(\w+)', 'gn') AS m
$$;

-- Functions of ours that are not of a trigger: what they take and give. All others take nothing.
CREATE FUNCTION postrider_adopt_function(name text) RETURNS TABLE (takes text, gives regtype)
LANGUAGE sql AS $$
    SELECT COALESCE(f.takes, ''), COALESCE(f.gives, 'trigger'::regtype)
    FROM (SELECT) AS one LEFT JOIN (VALUES
        ('postrider_customer', 'text', 'uuid'::regtype),
        ('webhook_event_patterns', 'text', 'text[]'),
        ('webhook_subscription_keys', 'text, text[]', 'text[]'),
        ('webhook_event_subscribers', 'uuid, text, jsonb', 'record'),
        ('webhook_ordering_bucket', 'uuid, text', 'integer'),
        ('webhook_ordering_head', 'uuid, text', 'record'),
        ('webhook_ordering_promote', 'uuid, text', 'void'),
        ('webhook_promises_broken', 'uuid[]', 'void'),
        ('webhook_ordering_is_quiet', 'uuid', 'boolean'),
        ('postrider_publish', 'uuid, text, jsonb, text, text, uuid, uuid, text, timestamp with time zone', 'uuid'),
        ('webhook_known_customers', 'regclass, uuid[]', 'uuid[]'),
        ('webhook_publish_requests', 'json, json', 'record'),
        ('webhook_customer_error', 'text', 'text'),
        ('webhook_payloads_expire', 'uuid[], uuid[], timestamp with time zone', 'record'),
        ('webhook_events_retire', 'uuid[]', 'bigint'),
        ('webhook_alert_publish', 'uuid, uuid, text, text, jsonb', 'uuid')
    ) AS f (name, takes, gives) ON f.name = $1
$$;

-- Functions in our schema that the migrations would make again.
CREATE FUNCTION postrider_adopt_functions(migrations text)
RETURNS TABLE (function regprocedure, name text, gives_as_ours boolean) LANGUAGE sql AS $$
    SELECT p.oid, p.proname, p.prorettype = f.gives
    FROM postrider_adopt_made(migrations) m
    CROSS JOIN postrider_adopt_function(m.name) f
    JOIN pg_proc p ON p.proname = m.name AND oidvectortypes(p.proargtypes) = f.takes
        AND p.pronamespace = (SELECT oid FROM pg_namespace WHERE nspname = current_schema())
    WHERE m.kind = 'FUNCTION'
$$;

-- True of a function of one of our names that nobody else needs than a trigger that an earlier Postrider has
-- left.
CREATE FUNCTION postrider_adopt_is_unneeded(migrations text, deliveries regclass, function oid)
RETURNS boolean LANGUAGE sql AS $$
    SELECT NOT EXISTS (
           SELECT FROM pg_depend d
           LEFT JOIN pg_trigger t ON d.classid = 'pg_trigger'::regclass AND t.oid = d.objid
           WHERE d.refclassid = 'pg_proc'::regclass AND d.refobjid = function
             AND (t.tgrelid = deliveries AND t.tgname IN (
                      SELECT m.name FROM postrider_adopt_made(migrations) m
                      WHERE m.kind = 'TRIGGER')) IS NOT TRUE)
$$;

-- Tables and the like of our names. What an earlier Postrider has left on webhook_deliveries itself
-- is in nobody's way: postrider_adopt_leftovers().
CREATE FUNCTION postrider_adopt_names(migrations text, deliveries regclass)
RETURNS SETOF postrider_adopt_line LANGUAGE sql AS $$
    SELECT 'obstacle',
           CASE WHEN i.indrelid IS NULL
               THEN format('there is a %s already, which is not Postrider''s', c.oid::regclass)
               ELSE format('there is an index %s already, of %s, which is not Postrider''s',
                           c.oid::regclass, i.indrelid::regclass) END,
           CASE WHEN i.indrelid IS NOT NULL
               THEN format('ALTER INDEX %s RENAME TO %I;', c.oid::regclass, c.relname || '_old')
               ELSE 'rename it, or give Postrider another schema (database.schema); if it comes from'
                    ' a dump of a database with Postrider, restore postrider_migrations with its rows'
                    ' as well, and nothing has to be adopted' END
    FROM postrider_adopt_made(migrations) m
    JOIN pg_class c ON c.relname = m.name
        AND c.relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = current_schema())
    LEFT JOIN pg_index i ON i.indexrelid = c.oid
    WHERE m.kind IN ('TABLE', 'INDEX', 'SEQUENCE', 'VIEW')
      AND m.name NOT IN ('webhook_deliveries', 'customers')
      AND ((i.indrelid = deliveries) IS NOT TRUE
           OR EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = c.oid AND k.contype <> 'f'))
    UNION ALL
    SELECT 'obstacle', format('function %s already exists, and is not Postrider''s', f.function),
           format('rename it, or give Postrider another schema (database.schema): ALTER FUNCTION %s'
                  ' RENAME TO %I;', f.function, f.name || '_old')
    FROM postrider_adopt_functions(migrations) f
    WHERE NOT (f.gives_as_ours
               AND postrider_adopt_is_unneeded(migrations, deliveries, f.function))
    ORDER BY 2
$$;

-- What an earlier Postrider has left on the table, as a dump of it alone has it: the migrations make
-- all of it anew.
CREATE FUNCTION postrider_adopt_leftovers(migrations text, deliveries regclass)
RETURNS SETOF postrider_adopt_line LANGUAGE sql AS $$
    SELECT 'step', format('make the %s %I anew, which an earlier Postrider has left', l.what, l.name),
           l.statement
    FROM (
        SELECT 1 AS ordinal, 'trigger' AS what, t.tgname AS name,
               format('DROP TRIGGER %I ON %s', t.tgname, deliveries) AS statement
        FROM pg_trigger t JOIN postrider_adopt_made(migrations) m
            ON m.kind = 'TRIGGER' AND m.name = t.tgname
        WHERE t.tgrelid = deliveries AND NOT t.tgisinternal
        UNION ALL
        SELECT 2, 'function', f.name, format('DROP FUNCTION %s', f.function)
        FROM postrider_adopt_functions(migrations) f
        UNION ALL
        SELECT 3, 'index', c.relname, format('DROP INDEX %s', c.oid::regclass)
        FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
        JOIN postrider_adopt_made(migrations) m ON m.kind = 'INDEX' AND m.name = c.relname
        WHERE i.indrelid = deliveries
    ) l
    ORDER BY l.ordinal, l.name
$$;

-- True when one column alone is unique, so that a foreign key may refer to it.
CREATE FUNCTION postrider_adopt_is_unique(relation regclass, attnum smallint) RETURNS boolean
LANGUAGE sql AS $$
    SELECT EXISTS (SELECT FROM pg_index i
                   WHERE i.indrelid = relation AND i.indisunique AND i.indisvalid
                     AND i.indimmediate AND i.indpred IS NULL AND i.indnkeyatts = 1
                     AND i.indkey[0] = attnum)
$$;

-- A customers table must be one that can be referred to.
CREATE FUNCTION postrider_adopt_customers(customers regclass)
RETURNS SETOF postrider_adopt_line LANGUAGE plpgsql AS $$
DECLARE
    id smallint;
BEGIN
    SELECT a.attnum INTO id FROM pg_attribute a
    WHERE a.attrelid = customers AND a.attname = 'id' AND a.atttypid = 'uuid'::regtype;
    IF NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = customers AND c.relkind IN ('r', 'p')) THEN
        RETURN NEXT postrider_adopt_say('obstacle',
            format('%s is not a table, so nothing can refer to it', customers),
            'do without a foreign key (--customers none), name another table (--customers TABLE), or'
            ' give Postrider another schema (database.schema)');
    ELSIF id IS NULL THEN
        RETURN NEXT postrider_adopt_say('obstacle',
            format('%s has no column id of type uuid', customers),
            'do without a foreign key (--customers none; postrider_customer(id::text) makes a'
            ' customer_id of any id), name another table (--customers TABLE), or give Postrider'
            ' another schema (database.schema)');
    ELSIF NOT postrider_adopt_is_unique(customers, id) THEN
        RETURN NEXT postrider_adopt_say('obstacle',
            format('%s (id) is neither a primary key nor unique', customers),
            format('ALTER TABLE %s ADD PRIMARY KEY (id);', customers));
    ELSIF NOT has_table_privilege(customers, 'REFERENCES') THEN
        RETURN NEXT postrider_adopt_say('obstacle',
            format('no permission to refer to %s', customers),
            format('GRANT REFERENCES ON %s TO %I;', customers, current_user));
    END IF;
END
$$;

CREATE FUNCTION postrider_adopt_referred(name text) RETURNS SETOF postrider_adopt_line
LANGUAGE sql AS $$
    SELECT 'obstacle', format('there is no table %s', name),
           'write it as SQL does, with its schema: --customers app.tenants'
    WHERE to_regclass(name) IS NULL
    UNION ALL
    SELECT l.* FROM postrider_adopt_customers(to_regclass(name)) l WHERE to_regclass(name) IS NOT NULL
$$;

-- What rules a webhook_deliveries out, whatever its columns are.
CREATE FUNCTION postrider_adopt_kind(deliveries regclass, customers text)
RETURNS SETOF postrider_adopt_line LANGUAGE plpgsql AS $$
DECLARE
    relation pg_class;
BEGIN
    SELECT * INTO relation FROM pg_class c WHERE c.oid = deliveries;
    IF relation.relnamespace::regnamespace::text <> quote_ident(current_schema()) THEN
        RETURN NEXT postrider_adopt_say('obstacle',
            format('webhook_deliveries is in schema %s, but new tables would be made in schema %I',
                   relation.relnamespace::regnamespace, current_schema()),
            'name its schema in the configuration: database.schema');
    ELSIF relation.relkind <> 'r' THEN
        RETURN NEXT postrider_adopt_say('obstacle', CASE relation.relkind
                WHEN 'p' THEN 'webhook_deliveries is a partitioned table, not a plain one'
                ELSE 'webhook_deliveries is not a table' END,
            'rename it, or give Postrider another schema (database.schema)');
    ELSIF NOT pg_has_role(relation.relowner, 'USAGE') THEN
        RETURN NEXT postrider_adopt_say('obstacle',
            format('webhook_deliveries belongs to the role %I, and only its owner can change it',
                   pg_get_userbyid(relation.relowner)),
            format('ALTER TABLE webhook_deliveries OWNER TO %I; or adopt it as a member of %I',
                   current_user, pg_get_userbyid(relation.relowner)));
    ELSIF relation.relpersistence <> 'p' THEN
        RETURN NEXT postrider_adopt_say('obstacle',
            'webhook_deliveries is unlogged: a crash would empty it',
            'ALTER TABLE webhook_deliveries SET LOGGED;');
    ELSIF customers = '' THEN
        RETURN NEXT postrider_adopt_say('obstacle',
            'there is a webhook_deliveries, but no customers to refer to',
            'say which table has them (--customers TABLE), or do without a foreign key (--customers'
            ' none), or: CREATE TABLE customers (id uuid PRIMARY KEY); INSERT INTO customers'
            ' SELECT DISTINCT customer_id FROM webhook_deliveries;');
    END IF;
END
$$;

-- Columns that are missing or of a type that can't be converted without looking at the values.
CREATE FUNCTION postrider_adopt_types(deliveries regclass)
RETURNS SETOF postrider_adopt_line LANGUAGE sql AS $$
    SELECT 'obstacle', format('webhook_deliveries has no column %I', c.name),
           format('ALTER TABLE webhook_deliveries ADD COLUMN %I %s; and fill it', c.name, c.type)
    FROM postrider_adopt_compare(deliveries) c WHERE c.given IS NULL AND c.required
    UNION ALL
    SELECT 'obstacle',
           format('webhook_deliveries.%I is of type %s, not %s', c.name, c.given, c.type),
           format('convert it, if its values allow: ALTER TABLE webhook_deliveries'
                  ' ALTER COLUMN %1$I TYPE %2$s USING %1$I::%2$s;', c.name, c.type)
    FROM postrider_adopt_compare(deliveries) c
    WHERE c.given <> ALL (c.accepted)
      AND NOT (c.given = 'timestamp without time zone' AND c.type = 'timestamp with time zone')
$$;

-- How many rows there are, and statuses that mean nothing to Postrider.
CREATE FUNCTION postrider_adopt_statuses(deliveries regclass)
RETURNS SETOF postrider_adopt_line LANGUAGE plpgsql AS $$
DECLARE
    total bigint := 0;
    counts text[] := '{}';
    s record;
BEGIN
    FOR s IN EXECUTE format('SELECT status AS name, count(*) AS number FROM %s'
                            ' GROUP BY 1 ORDER BY 2 DESC, 1', deliveries) LOOP
        total := total + s.number;
        CONTINUE WHEN cardinality(counts) >= 20;
        counts := counts || (s.number || ' ' || COALESCE(s.name, 'without a status'));
        CONTINUE WHEN COALESCE(s.name, 'pending') IN ('pending', 'delivered', 'failed');
        RETURN NEXT postrider_adopt_say('obstacle',
            format('%s of webhook_deliveries with status %L; Postrider knows pending, delivered'
                   ' and failed', postrider_adopt_count(s.number), s.name),
            format('say what that stands for: UPDATE webhook_deliveries SET status = ''delivered'''
                   ' WHERE status = %L;', s.name));
    END LOOP;
    RETURN NEXT postrider_adopt_say('note',
        format('webhook_deliveries was here before Postrider. It has %s%s.',
               postrider_adopt_count(total),
               ': ' || postrider_adopt_words(NULLIF(counts, '{}'))), NULL);
END
$$;

-- NULLs that nothing can stand in for.
CREATE FUNCTION postrider_adopt_holes(deliveries regclass)
RETURNS SETOF postrider_adopt_line LANGUAGE sql AS $$
    SELECT 'obstacle',
           format('%s of webhook_deliveries without %I', postrider_adopt_count(n.value::bigint),
                  c.name),
           format('they can''t be delivered: DELETE FROM webhook_deliveries WHERE %I IS NULL;',
                  c.name)
    FROM postrider_adopt_compare(deliveries) c
    JOIN jsonb_each_text(postrider_adopt_nulls(deliveries)) n
        ON n.key = c.name AND n.value::bigint > 0
    WHERE c.fallback = ''
$$;

-- Indexes that the planner takes for a reader's, though they make it walk every pending row.
CREATE FUNCTION postrider_adopt_indexes(deliveries regclass)
RETURNS SETOF postrider_adopt_line LANGUAGE sql AS $$
    SELECT CASE WHEN i.indisunique THEN 'obstacle' ELSE 'step' END,
           format('%s the index %s, which begins with %s: it would be preferred to the indexes that'
                  ' Postrider reads by, and is slow for that',
                  CASE WHEN i.indisunique THEN 'in the way is' ELSE 'drop' END,
                  i.indexrelid::regclass, a.attname),
           CASE WHEN i.indisunique THEN 'make it again with its columns in another order'
                ELSE format('DROP INDEX %s', i.indexrelid::regclass) END
    FROM pg_index i
    JOIN pg_class c ON c.oid = i.indexrelid
    JOIN pg_am m ON m.oid = c.relam AND m.amname = 'btree'
    JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
    WHERE i.indrelid = deliveries AND a.attname IN ('status', 'next_retry_at')
    ORDER BY c.relname
$$;

-- The columns: lines with the name of one and what ALTER TABLE does to it, and a step for each
-- column whose NULLs that fills.
CREATE FUNCTION postrider_adopt_columns(deliveries regclass, zone text)
RETURNS SETOF postrider_adopt_line LANGUAGE sql AS $$
    WITH compared AS (
        SELECT c.*, c.given = 'timestamp without time zone' AS is_zoned,
               COALESCE((n.nulls ->> c.name)::bigint, 0) AS nulls,
               -- A limit on a producer's own columns is the producer's matter.
               c.given_limit AND c.name NOT IN ('webhook_url', 'event_type') AS is_limited
        FROM postrider_adopt_nulls(deliveries) n (nulls), postrider_adopt_compare(deliveries) c
    ), retyped AS (
        -- An expression of USING sees the old row.
        SELECT name, given_default IS NOT NULL AS has_default,
               CASE WHEN is_zoned THEN 'zone' WHEN is_limited THEN 'limit' ELSE 'fill' END AS kind,
               CASE given WHEN 'text' THEN 'text' ELSE type END AS type,
               format(CASE WHEN nulls > 0 THEN 'COALESCE(%s, %s)' ELSE '%s' END,
                      format(CASE WHEN is_zoned THEN '%I AT TIME ZONE %L' ELSE '%I' END,
                             name, zone),
                      fallback) AS value
        FROM compared WHERE is_zoned OR nulls > 0 OR is_limited
    )
    SELECT 'add', name,
           concat('ADD COLUMN ', name, ' ', type, ' DEFAULT ' || NULLIF(wanted, ''),
                  CASE WHEN forbids_null THEN ' NOT NULL' END)
    FROM compared WHERE given IS NULL
    UNION ALL
    SELECT 'part', name, format('ALTER COLUMN %I DROP DEFAULT', name)
    FROM retyped WHERE has_default
    UNION ALL
    SELECT kind, name, format('ALTER COLUMN %I TYPE %s USING %s', name, type, value) FROM retyped
    UNION ALL
    SELECT 'step',
           format(CASE name
                  WHEN 'status' THEN 'make %s without a status pending, so that they are sent'
                  WHEN 'next_retry_at' THEN 'let %s without next_retry_at be due now, where pending'
                  ELSE 'set %2$s to %3$s in %1$s that lack it' END,
                  postrider_adopt_count(nulls), name, fallback), NULL
    FROM compared WHERE nulls > 0 AND fallback <> ''
    UNION ALL
    SELECT 'default', name, format('ALTER COLUMN %I SET DEFAULT %s', name, wanted)
    FROM compared
    WHERE given IS NOT NULL AND wanted <> ''
      AND (given_default IS NULL OR name IN (SELECT r.name FROM retyped r)
           OR name NOT IN ('id', 'created_at')
              AND regexp_replace(given_default, '::[a-z ]+$', '') <> wanted)
    UNION ALL
    SELECT 'null', name, format('ALTER COLUMN %I SET NOT NULL', name)
    FROM compared WHERE forbids_null AND given_null
$$;

-- Views and rules that read a column whose type changes: PostgreSQL refuses that.
CREATE FUNCTION postrider_adopt_views(deliveries regclass, columns text[])
RETURNS SETOF postrider_adopt_line LANGUAGE sql AS $$
    SELECT 'obstacle',
           format('%s uses %s, whose type has to change', r.ev_class::regclass,
                  postrider_adopt_words(array_agg(DISTINCT a.attname::text))),
           'drop it, and make it again afterwards'
    FROM pg_depend d
    JOIN pg_rewrite r ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
    JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
    WHERE d.refclassid = 'pg_class'::regclass AND d.refobjid = deliveries
      AND a.attname = ANY (columns)
    GROUP BY r.ev_class
$$;

-- What the columns' lines come to, for people.
CREATE FUNCTION postrider_adopt_sentences(lines postrider_adopt_line[], zone text)
RETURNS SETOF postrider_adopt_line LANGUAGE sql AS $$
    WITH lines AS (SELECT * FROM unnest(lines) WITH ORDINALITY)
    SELECT 'step', sentence, NULL FROM (
        SELECT s.ordinal, format(s.sentence, postrider_adopt_words(
                   array_agg(l.description ORDER BY l.ordinality)), zone)
        FROM lines l
        JOIN (VALUES
            (1, 'zone', 'read the times in %s, which have no zone, as times in %s (timestamptz)'),
            (3, 'limit', 'lift the limit on length or precision of %s'),
            (4, 'add', 'add %s'),
            (5, 'default', 'set the default of %s'),
            (6, 'null', 'forbid NULL in %s (an INSERT of NULL gets the default, as before)')
        ) AS s (ordinal, kind, sentence) ON s.kind = l.kind
        GROUP BY s.ordinal, s.sentence
        UNION ALL
        SELECT 2, l.description FROM lines l WHERE l.kind = 'step'
    ) AS sentences (ordinal, sentence)
    ORDER BY ordinal
$$;

-- Constraints that forbid what Postrider writes, and those that are missing.
CREATE FUNCTION postrider_adopt_constraints(deliveries regclass, customers regclass)
RETURNS SETOF postrider_adopt_line LANGUAGE plpgsql AS $$
DECLARE
    number CONSTANT jsonb := (SELECT jsonb_object_agg(attname, attnum) FROM pg_attribute
                              WHERE attrelid = deliveries AND attnum > 0 AND NOT attisdropped);
    orphans bigint;
BEGIN
    RETURN QUERY SELECT 'step'::text, format('drop the check constraint %I on status',
                                             conname),
                        format('DROP CONSTRAINT %I', conname)
                 FROM pg_constraint
                 WHERE conrelid = deliveries AND contype = 'c'
                   AND (conkey = ARRAY[(number ->> 'status')::smallint]
                        -- One that an earlier Postrider has left (0014_events.sql).
                        OR conname = 'webhook_deliveries_status_check'
                           AND conkey <@ ARRAY[(number ->> 'status')::smallint,
                                               (number ->> 'payload')::smallint,
                                               (number ->> 'endpoint_id')::smallint]);
    RETURN NEXT postrider_adopt_say('step', 'allow no status but pending, delivered and failed',
        'ADD CONSTRAINT webhook_deliveries_status_check'
        ' CHECK (status IN (''pending'', ''delivered'', ''failed''))');
    IF NOT postrider_adopt_is_unique(deliveries, (number ->> 'id')::smallint) THEN
        RETURN NEXT postrider_adopt_say('step', 'make id unique', 'ADD UNIQUE (id)');
    END IF;
    IF customers IS NULL
       OR EXISTS (SELECT FROM pg_constraint
                  WHERE conrelid = deliveries AND contype = 'f' AND confrelid = customers
                    AND conkey = ARRAY[(number ->> 'customer_id')::smallint]) THEN
        RETURN;
    END IF;
    RETURN NEXT postrider_adopt_say('step', format('let customer_id refer to %s', customers),
        format('ADD FOREIGN KEY (customer_id) REFERENCES %s (id)', customers));
    EXECUTE format('SELECT count(*) FROM %s d WHERE NOT EXISTS'
                   ' (SELECT FROM %s c WHERE c.id = d.customer_id)', deliveries, customers)
    INTO orphans;
    IF orphans > 0 THEN
        RETURN NEXT postrider_adopt_say('obstacle',
            format('%s of webhook_deliveries with a customer_id that is not in %s',
                   postrider_adopt_count(orphans), customers),
            'add those customers, or delete the rows, or do without a foreign key'
            ' (--customers none)');
    END IF;
END
$$;

-- A time of the rows as it will be: what has no zone is read in this one, and what is missing is
-- now() where a row needs it.
CREATE FUNCTION postrider_adopt_time(deliveries regclass, column_name text, zone text)
RETURNS text LANGUAGE sql AS $$
    SELECT format(CASE WHEN c.given IS NULL THEN 'NULL::timestamptz'
                       WHEN c.given = 'timestamp without time zone' THEN '%I AT TIME ZONE %L'
                       ELSE '%I' END, c.name, zone)
    FROM postrider_adopt_compare(deliveries) c WHERE c.name = column_name
$$;

-- What retention would do to the rows of before, and that it will not, or that it may (agreed). The
-- ages are the configuration's, in milliseconds and as it writes them; 0 = never.
CREATE FUNCTION postrider_adopt_retention(deliveries regclass, zone text, agreed boolean,
                                          delivered_ms bigint, delivered_age text,
                                          failed_ms bigint, failed_age text)
RETURNS SETOF postrider_adopt_line LANGUAGE plpgsql AS $$
DECLARE
    created CONSTANT text := format('COALESCE(%s, now())',
                                    postrider_adopt_time(deliveries, 'created_at', zone));
    attempted CONSTANT text := postrider_adopt_time(deliveries, 'last_attempt_at', zone);
    counts bigint[];
BEGIN
    EXECUTE format(
        'SELECT ARRAY[count(*) FILTER (WHERE status = ''delivered'' AND $1 > 0'
        ' AND GREATEST(%1$s, %2$s) < now() - $1 * interval ''1 millisecond''),'
        ' count(*) FILTER (WHERE status = ''failed'' AND $2 > 0'
        ' AND GREATEST(%1$s, %2$s) < now() - $2 * interval ''1 millisecond'')] FROM %3$s',
        created, attempted, deliveries)
    INTO counts USING delivered_ms, failed_ms;
    RETURN NEXT postrider_adopt_say('note', postrider_adopt_would_go(
        counts[1], counts[2], delivered_age, failed_age), NULL);
    RETURN NEXT postrider_adopt_say('step', CASE WHEN agreed
        THEN 'remember that these rows are of before, and let retention delete them (--retention)'
        ELSE 'remember that these rows are of before, and keep retention from deleting them, until'
             ' --retention is given' END,
        format('CREATE TABLE webhook_adopted AS SELECT id AS delivery_id FROM %s'
               ' WHERE created_at > now() OR last_attempt_at > now()', deliveries));
END
$$;

CREATE FUNCTION postrider_adopt_has_obstacle(lines postrider_adopt_line[]) RETURNS boolean
LANGUAGE sql AS $$
    SELECT EXISTS (SELECT FROM unnest(lines) l WHERE l.kind = 'obstacle')
$$;

-- A webhook_deliveries table and all that has to be done to it.
CREATE FUNCTION postrider_adopt_deliveries(deliveries regclass, customers regclass, zone text)
RETURNS SETOF postrider_adopt_line LANGUAGE plpgsql AS $$
DECLARE
    columns CONSTANT postrider_adopt_line[] :=
        ARRAY(SELECT l FROM postrider_adopt_columns(deliveries, zone) l);
    constraints CONSTANT postrider_adopt_line[] :=
        ARRAY(SELECT l FROM postrider_adopt_constraints(deliveries, customers) l);
BEGIN
    RETURN QUERY SELECT * FROM postrider_adopt_statuses(deliveries);
    RETURN QUERY SELECT * FROM postrider_adopt_holes(deliveries);
    RETURN QUERY SELECT * FROM postrider_adopt_views(deliveries, ARRAY(
        SELECT description FROM unnest(columns) WHERE kind IN ('zone', 'fill', 'limit')));
    RETURN QUERY SELECT * FROM postrider_adopt_indexes(deliveries);
    RETURN QUERY SELECT * FROM postrider_adopt_sentences(columns, zone);
    RETURN QUERY SELECT kind, description, CASE WHEN kind = 'obstacle' THEN statement END
                 FROM unnest(constraints);
    RETURN NEXT postrider_adopt_say('step', 'leave room in its pages for outcomes (fillfactor 70)',
        'ALTER TABLE webhook_deliveries' || E'\n    '
        || (SELECT string_agg(statement, E',\n    ' ORDER BY ordinality)
            FROM unnest(columns || constraints) WITH ORDINALITY
            WHERE kind <> 'obstacle' AND statement IS NOT NULL)
        || E',\n    SET (fillfactor = 70)');
END
$$;

-- timezone: as the operator wrote it, NULL = the session's. The ages of retention are the
-- configuration's, in milliseconds and as it writes them, 0 = never; agreed: --retention was given.
-- migrations: the text of all. customers: the table that customer_id is to refer to, 'none', or '' where nobody has chosen and there
-- is no table of that name.
CREATE FUNCTION postrider_adopt_plan(migrations text, customers text, timezone text,
                                     agreed boolean, delivered_ms bigint, delivered_age text,
                                     failed_ms bigint, failed_age text)
RETURNS SETOF postrider_adopt_line LANGUAGE plpgsql AS $$
DECLARE
    zone CONSTANT text := COALESCE((SELECT name FROM pg_timezone_names
                                    WHERE lower(name) = lower(timezone)),
                                   current_setting('TimeZone'));
    deliveries CONSTANT regclass := to_regclass('webhook_deliveries');
    referred regclass;
    lines postrider_adopt_line[] :=
        ARRAY(SELECT l FROM postrider_adopt_names(migrations, deliveries) l);
BEGIN
    IF customers NOT IN ('', 'none') THEN
        referred := to_regclass(customers);
        lines := lines || ARRAY(SELECT l FROM postrider_adopt_referred(customers) l);
    END IF;
    IF deliveries IS NOT NULL THEN
        lines := lines || ARRAY(SELECT l FROM postrider_adopt_kind(deliveries, customers) l);
        -- What follows needs a table, and looks into columns of the right types.
        IF NOT postrider_adopt_has_obstacle(lines) THEN
            lines := lines || ARRAY(SELECT l FROM postrider_adopt_types(deliveries) l);
        END IF;
        IF NOT postrider_adopt_has_obstacle(lines) THEN
            lines := lines
                || ARRAY(SELECT l FROM postrider_adopt_leftovers(migrations, deliveries) l)
                || ARRAY(SELECT l FROM postrider_adopt_deliveries(deliveries, referred, zone) l)
                || ARRAY(SELECT l FROM postrider_adopt_retention(
                             deliveries, zone, agreed, delivered_ms, delivered_age, failed_ms,
                             failed_age) l);
        END IF;
    END IF;
    RETURN QUERY SELECT * FROM unnest(lines);
END
$$;
