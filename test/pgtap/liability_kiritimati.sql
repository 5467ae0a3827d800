-- The liability where months begin 14 hours before those of UTC.
\set zone Pacific/Kiritimati
\ir liability.psql
