EXTENSION = membership
EXTVERSION = 0.2
PREVIOUS = 0.1

MODULE_big = membership
SOURCES = $(sort $(wildcard src/*.c src/*/*.c))
OBJS = $(SOURCES:.c=.o)
PG_CPPFLAGS = -I$(CURDIR)/src
PG_CFLAGS = -Wall -Wextra -Wno-unused-parameter -Wno-missing-field-initializers $(WERROR)

# The install script is put together from pieces, in this order. What is made once is there already when a database is
# updated: the schema, and the types of the previous version.
INSTALL_SQL = $(sort $(wildcard sql/install/*.sql))
ONCE_SQL = sql/install/00-schema.sql sql/install/10-type.sql
LAST_SQL = sql/install/90-revoke.sql
FUNCTION_SQL = $(filter-out $(ONCE_SQL) $(LAST_SQL),$(INSTALL_SQL))
PROGRAM_TABLES = $(addprefix sql/program/, 10-config.sql 15-rule.sql 20-member.sql 30-ledger.sql)
PROGRAM_2 = $(sort $(wildcard sql/program/2/*.sql))
PROGRAM_ALWAYS = $(addprefix sql/program/, 40-view.sql 45-liability.sql 50-violation.sql 60-guard.sql)

# sql/old has the install scripts of older versions, as sql/freeze kept them
DATA = $(sort $(wildcard sql/old/*.sql))
DATA_built = membership--$(EXTVERSION).sql membership--$(PREVIOUS)--$(EXTVERSION).sql

# `make installcheck` runs these on a server that is running; results/ and regression.diffs land here.
REGRESS = $(patsubst test/sql/%.sql,%,$(sort $(wildcard test/sql/*.sql)))
REGRESS_OPTS = --inputdir=test --outputdir=.
ISOLATION = $(patsubst test/specs/%.spec,%,$(sort $(wildcard test/specs/*.spec)))
ISOLATION_OPTS := $(REGRESS_OPTS)

# These goals install PostgreSQL where it is missing and do their own build, so they go without PGXS, which has
# a `check` of its own.
STANDALONE = check lint bench doc simulate canary sanitize valgrind fuzz matrix quickstart quickstart-stop
ifneq ($(filter $(STANDALONE),$(MAKECMDGOALS)),)
.PHONY: $(STANDALONE)
check:
	@test/run $(TESTS)
lint:
	@test/lint
bench:
	@test/bench/run
doc:
	@test/doc
SEEDS ?= 1-200
simulate:
	@pg_virtualenv -o fsync=off test/model/run --seeds $(SEEDS)
canary:
	@test/canary/run
sanitize:
	@test/sanitize/asan
valgrind:
	@test/sanitize/valgrind
fuzz:
	@test/fuzz/engine -max_total_time=60
matrix:
	@test/matrix
quickstart:
	@test/quickstart/start
quickstart-stop:
	@test/quickstart/stop
else

PG_CONFIG ?= pg_config
PGXS := $(shell $(PG_CONFIG) --pgxs)
include $(PGXS)

$(OBJS): $(wildcard src/*.h src/*/*.h)

# _program_ddl(version, digits): the statements that bring a programme's objects from a table version
# (0 = nothing there) to the present one. Tables are made once, those of a later version by its own pieces in a new
# programme too, so that an upgraded one is the same; views and guards can be made again.
define FUNCTIONS
	cat $(FUNCTION_SQL); \
	echo 'CREATE FUNCTION membership._program_ddl(version integer, digits integer) RETURNS text'; \
	echo 'LANGUAGE sql IMMUTABLE AS $$body$$ SELECT pg_catalog.replace(CASE WHEN version < 1 THEN $$tables$$'; \
	cat $(PROGRAM_TABLES); \
	echo '$$tables$$ ELSE $$none$$$$none$$ END || CASE WHEN version < 2 THEN $$tables$$'; \
	cat /dev/null $(PROGRAM_2); \
	echo '$$tables$$ ELSE $$none$$$$none$$ END || $$always$$'; \
	cat $(PROGRAM_ALWAYS); \
	echo '$$always$$, $$mark$$@digits@$$mark$$, digits::text) $$body$$;'; \
	echo "COMMENT ON FUNCTION membership._program_ddl IS 'The statements that bring a programme''s objects from a table version (0 = nothing there) to the present one.';"; \
	cat $(LAST_SQL)
endef
PIECES = $(INSTALL_SQL) $(PROGRAM_TABLES) $(PROGRAM_2) $(PROGRAM_ALWAYS) Makefile

membership--$(EXTVERSION).sql: $(PIECES)
	@echo "building $@"
	@{ printf '%s\n' '\echo Use "CREATE EXTENSION membership" to load this file. \quit'; \
	   echo 'SET LOCAL search_path TO pg_catalog, pg_temp;'; \
	   cat $(ONCE_SQL); $(FUNCTIONS); } > $@

# An update says everything again that can be said again, so it cannot forget what has changed.
membership--$(PREVIOUS)--$(EXTVERSION).sql: $(PIECES)
	@echo "building $@"
	@{ printf '%s\n' '\echo Use "ALTER EXTENSION membership UPDATE" to load this file. \quit'; \
	   echo 'SET LOCAL search_path TO pg_catalog, pg_temp;'; \
	   { $(FUNCTIONS); } | sed -E 's/^CREATE (FUNCTION|PROCEDURE) /CREATE OR REPLACE \1 /'; } > $@

endif
