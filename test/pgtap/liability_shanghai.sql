-- The liability where months begin 8 hours before those of UTC.
\set zone Asia/Shanghai
\ir liability.psql
