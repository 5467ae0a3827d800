-- The liability where months begin 4 or 5 hours after those of UTC.
\set zone America/New_York
\ir liability.psql
