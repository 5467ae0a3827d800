#!/bin/bash
export PGHOST=/tmp/rev/pg PGPORT=7799 PGUSER=root
cd /tmp/rev; psql -X -q -d postgres -c 'drop database if exists t' -c 'create database t' && timeout 300 psql -X -q -A -t -d t -f $1 2>&1 | grep -v '^ok\|^1\.\.\|^LOCATION\|25P02'
