-- Nothing is for everybody; grant_access() says who may call what.
REVOKE ALL ON ALL ROUTINES IN SCHEMA membership FROM PUBLIC;
