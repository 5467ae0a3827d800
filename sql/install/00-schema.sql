-- Whoever owns the schema, or may create in it, can put objects where the engine looks for its own.
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_catalog.pg_namespace n
                WHERE n.nspname = 'membership'
                  AND (NOT (SELECT r.rolsuper FROM pg_catalog.pg_roles r WHERE r.oid = n.nspowner)
                       OR EXISTS (SELECT FROM pg_catalog.aclexplode(n.nspacl) a
                                   WHERE a.privilege_type = 'CREATE' AND a.grantee <> n.nspowner))) THEN
        RAISE EXCEPTION 'schema "membership" is not safe to install into'
            USING ERRCODE = 'MB406',
                  DETAIL = 'It is owned by a role that is no superuser, or others may create objects in it.',
                  HINT = 'Look at what is in the schema, then drop it, or ALTER SCHEMA membership OWNER TO a superuser and REVOKE CREATE ON it.';
    END IF;
END
$$;
