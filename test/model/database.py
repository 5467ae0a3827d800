"""The programme in PostgreSQL: one call per verb, a member's state in one statement, conditions as plain SQL."""
import json
from datetime import datetime
from decimal import Decimal
from functools import partial

import psycopg
from psycopg.types.json import set_json_loads

from context import COLUMNS
from rules import Failure

set_json_loads(partial(json.loads, parse_float=Decimal))

ROWS = """(SELECT coalesce(json_agg(r ORDER BY {order}), '[]') FROM (SELECT {columns} FROM membership.{table}
            WHERE member_id = %(id)s) r)"""
TABLES = {
    'journal': ('*', 'journal_no'),
    'ledger_entry': ('*', 'entry_no'),
    'lot': ('*', 'lot_no'),
    'hold': ('*', 'hold_no'),
    'hold_lot': ('*', 'hold_no, lot_no'),
    'order_spend': ('*', 'journal_no'),
    'merchant_split': ('*', 'journal_no, split_no'),
    'exchange': ('*', 'journal_no'),
    'refund': ('*', 'journal_no'),
    'rule_failure': ('*', 'journal_no, rule_id'),
    'activity_day': ('*', 'day'),
    'journal_context': ('member_id, journal_no, attributes', 'journal_no'),
    'source_key': ('verb, ref, journal_no', 'journal_no'),
    'receipt': ('merchant_id, order_ref, journal_no', 'journal_no'),
    'member_identity': ('kind, value', 'kind COLLATE "C", value COLLATE "C"'),
    'tier_history': ('history_no, tier_id, lower(during) AS starts, upper(during) AS ends, cause, journal_no',
                     'history_no'),
    'account': ('*', 'wallet_id'),
    'member': ('*', 'member_id'),
    'member_balance': ('*', 'wallet'),
    'member_lots': ('*', 'lot_no'),
    'member_holds': ('*', 'hold_no'),
    'expiring_soon': ('*', 'expires_on'),
    'member_tier_progress': ('*', 'member_id'),
    'member_statement': ('*', 'journal_no, entry_no'),
}
STATE = 'SELECT statement_timestamp() AS now, ' + ', '.join(
    f'{ROWS.format(columns=columns, table=table, order=order)} AS {table}'
    for table, (columns, order) in TABLES.items())


# the offset keeps the planner from moving anything into or out of the context
CONTEXT = ('(SELECT ' + ', '.join(f'%({name})s::{type_name} AS {name}' for name, type_name in COLUMNS.items())
           + ' OFFSET 0) context')


class Database:
    def __init__(self, name):
        with psycopg.connect(dbname='postgres', autocommit=True) as connection:
            connection.execute(f'DROP DATABASE IF EXISTS {name} WITH (FORCE)')
            connection.execute(f'CREATE DATABASE {name}')
        self.name = name
        self.connection = psycopg.connect(dbname=name, autocommit=True)
        self.run("SET TimeZone = 'UTC'")
        self.run('SET client_min_messages = warning')
        self.asking = psycopg.connect(dbname=name, autocommit=True, options='-c search_path=membership')

    def drop(self):
        self.asking.close()
        self.connection.close()
        with psycopg.connect(dbname='postgres', autocommit=True) as connection:
            connection.execute(f'DROP DATABASE {self.name}')

    def start_programme(self, zone, currency):
        self.run('DROP EXTENSION IF EXISTS membership CASCADE')
        self.run('DROP SCHEMA IF EXISTS membership CASCADE')
        self.run('CREATE EXTENSION membership')
        self.run('SELECT membership.create_program(%s, %s, %s)', ('Model', zone, currency))

    def run(self, statement, arguments=None):
        return self.connection.execute(statement, arguments)

    def row(self, statement, arguments=None):
        """One row as (columns, None), or (None, SQLSTATE) when it was refused; `message` says why."""
        try:
            cursor = self.run(statement, arguments)
        except psycopg.Error as error:
            if error.sqlstate is None:
                raise
            self.message = error.diag.message_primary
            return None, error.sqlstate
        names = [column.name for column in cursor.description]
        return dict(zip(names, cursor.fetchone())), None

    def call(self, function, **arguments):
        """SELECT * FROM membership.function(name => value, ...); a value may carry its type: (value, type)."""
        listed, values = [], {}
        for name, value in arguments.items():
            value, type_name = value if isinstance(value, tuple) else (value, None)
            listed.append(f'{name} => %({name})s' + (f'::{type_name}' if type_name else ''))
            values[name] = to_json(value) if type_name == 'jsonb' and value is not None else value
        return self.row(f"SELECT r.* FROM membership.{function}({', '.join(listed)}) r", values)

    def rows(self, statement, arguments=None):
        """Rows as JSON shows them, like a member's state."""
        return self.run(f"SELECT coalesce(json_agg(q), '[]') FROM ({statement}) q", arguments).fetchone()[0]

    def evaluate(self, conditions, context):
        """True, False, None or the Failure of each condition, as plain SQL says."""
        values = {name: to_json(value) if COLUMNS[name] == 'jsonb' else value for name, value in context.items()}
        listed = ', '.join(f'({condition})' for condition in conditions).replace('%', '%%')
        try:
            return self.asking.execute(f'SELECT {listed} FROM {CONTEXT}', values).fetchone()
        except psycopg.Error as error:
            if error.sqlstate is None or error.sqlstate[:2] not in ('22', '54'):
                raise
            if len(conditions) == 1:
                return [Failure(error.sqlstate, error.diag.message_primary)]
        return [self.evaluate([condition], context)[0] for condition in conditions]

    def state(self, member_id):
        cursor = self.run(STATE, {'id': member_id})
        names = [column.name for column in cursor.description]
        return dict(zip(names, cursor.fetchone()))

    def clock(self):
        return self.run('SELECT clock_timestamp()').fetchone()[0]


def to_json(value):
    """JSON text; unlike the standard module it writes a Decimal as the number it is."""
    if isinstance(value, dict):
        return '{' + ', '.join(f'{json.dumps(key)}: {to_json(item)}' for key, item in value.items()) + '}'
    if isinstance(value, list):
        return '[' + ', '.join(to_json(item) for item in value) + ']'
    return format(value, 'f') if isinstance(value, Decimal) else json.dumps(value)


def instant(moment):
    """A time as PostgreSQL's JSON writes it in a session at UTC."""
    if moment is None:
        return None
    text = moment.strftime('%Y-%m-%dT%H:%M:%S')
    if moment.microsecond:
        text += f'.{moment.microsecond:06d}'.rstrip('0')
    return text + '+00:00'


def parse_instant(text):
    return datetime.fromisoformat(text)
