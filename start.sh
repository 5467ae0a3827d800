B=/usr/lib/postgresql/15/bin
su postgres -c "$B/initdb -D /tmp/rev/pg/d -A trust -U root > /tmp/rev/pg/init.log 2>&1 && $B/pg_ctl -w -D /tmp/rev/pg/d -l /tmp/rev/pg/log -o \"-c listen_addresses='' -k /tmp/rev/pg -c fsync=off -p 7799\" start" 
