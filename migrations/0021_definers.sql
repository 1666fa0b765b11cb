-- What runs in the name of the tables' owner is nobody else's to use. Whoever may call a trigger's function may put it
-- on a table of their own, and PostgreSQL lets everybody call everything: then a temporary table, with a trigger of
-- somebody's own in it, stood where the function looks for ours, and that trigger ran as our owner. A trigger that is
-- there fires for whoever writes to its table, whatever they may call.
DO $$
DECLARE
    ours regprocedure;
BEGIN
    FOR ours IN
        SELECT p.oid FROM pg_proc p
        WHERE p.prosecdef AND p.prorettype = 'trigger'::regtype
          AND p.pronamespace = (SELECT oid FROM pg_namespace WHERE nspname = current_schema())
          AND p.proname ~ '^webhook_'
    LOOP
        EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM PUBLIC', ours);
    END LOOP;
END
$$;
