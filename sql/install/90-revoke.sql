-- Nothing is for everybody; grant_access() says who may call what. Only of functions that are new: what an extension's
-- script says of a right makes all rights of that object, an application's too, those that the extension came with, and
-- pg_dump leaves them out.
DO $$
DECLARE
    routine regprocedure;
BEGIN
    FOR routine IN SELECT p.oid FROM pg_catalog.pg_proc p WHERE p.pronamespace = 'membership'::regnamespace AND p.proacl IS NULL LOOP
        EXECUTE format('REVOKE ALL ON ROUTINE %s FROM PUBLIC', routine);
    END LOOP;
END
$$;
