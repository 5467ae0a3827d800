"""What the programs of this folder share: where the data is, a programme, comparing rows, the report."""
import os
from collections import Counter
from pathlib import Path

DATA = Path(os.environ.get('DATA_DIR', Path(__file__).resolve().parent.parent.parent.parent / 'shared' / 'data'))
OPERATOR = 'membership_real_operator'
OWNER = 'membership_real_owner'

ENROL = """
SELECT member_id FROM membership.enroll_member(
    identity_kind => 'customer', identity_value => %s, at => %s)"""

# tables that hold the clock's time, with the columns to compare
WITHOUT_CLOCK = {
    'rule_version': 'rule_id, version, definition',
    'refund_claim': 'merchant_id, order_ref, refund_ref, payload_hash, member_id, journal_no, request, excess',
}


class Report:
    def __init__(self):
        self.passed = self.failed = 0

    def check(self, name, differences):
        if differences:
            self.failed += 1
            print(f'FAILED: {name}')
            for line in differences[:5]:
                print(f'    {line}')
            if len(differences) > 5:
                print(f'    and {len(differences) - 5} more')
        else:
            self.passed += 1
            print(f'ok: {name}')

    def equal(self, name, expected, found):
        self.check(name, [] if expected == found else [f'expected {expected}, found {found}'])

    def same(self, name, expected, found):
        """Two multisets of rows."""
        sides = {'expected': expected - found, 'found': found - expected}
        rows = sorted((row, side) for side, rows in sides.items() for row in rows.elements())
        self.check(name, [f'{side} {row}' for row, side in rows])


def drop(admin, databases):
    for database in databases:
        admin.execute(f'DROP DATABASE IF EXISTS {database}')
    admin.execute(f'DROP ROLE IF EXISTS {OPERATOR}')
    admin.execute(f'DROP ROLE IF EXISTS {OWNER}')


def make_roles(admin):
    admin.execute(f'CREATE ROLE {OWNER} NOLOGIN')
    admin.execute(f'CREATE ROLE {OPERATOR} NOLOGIN')


def make_programme(db):
    db.execute('CREATE EXTENSION membership')
    db.execute("SELECT membership.create_program('Online retail', 'Europe/London', 'GBP', owner => %s::regrole)", [OWNER])
    db.execute("INSERT INTO membership.merchant (merchant_id, name) VALUES (1, 'Online retailer')")
    db.execute("SELECT membership.grant_access(%s::regrole, 'operator')", [OPERATOR])


def keep(db, table, rows):
    with db.cursor().copy(f'COPY {table} FROM STDIN') as copy:
        for row in rows:
            copy.write_row(row)


def rows_of(db, query):
    with db.cursor().copy(f'COPY ({query}) TO STDOUT') as copy:
        return Counter(bytes(row).decode().rstrip('\n') for row in copy)


def tables_of(db):
    return [name for name, in db.execute(
        "SELECT relname FROM pg_class WHERE relnamespace = 'membership'::regnamespace AND relkind = 'r' ORDER BY 1")]


def compare_tables(db, batch, report):
    """What a run leaves does not tell by which of the two it was made."""
    report.equal('the same tables', tables_of(db), tables_of(batch))
    for table in tables_of(db):
        query = f'SELECT {WITHOUT_CLOCK.get(table, "*")} FROM membership.{table}'
        rows = rows_of(db, query)
        report.same(f'{table}: the same {rows.total():,} rows', rows, rows_of(batch, query))
    report.check('verify() finds nothing', batch.execute('SELECT * FROM membership.verify()').fetchall())
