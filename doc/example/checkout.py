#!/usr/bin/env python3
"""Sells once, however often it is called with the same order, and prints the sale.

    checkout.py MEMBER ORDER TOTAL POINTS     POINTS: the most that the member wants to spend, in whole steps
"""
import random
import sys
import time

import psycopg

BRANCH = 1
ATTEMPTS = 8
# deadlock and serialization failure, and the server going away; without an SQLSTATE the connection was lost
AGAIN = {'40001', '40P01', '57P01', '57P02', '57P03', None}


def sell(connection, member, order, total, wish):
    """The sale; all of it or nothing is committed."""
    def ask(query, *arguments):
        return connection.execute(query, arguments).fetchone()

    sold = ask('SELECT points FROM till.sale WHERE order_no = %s', order)
    if sold:  # by an earlier call: the same again
        points = sold[0]
    else:
        (most,) = ask("""SELECT max_points FROM membership.quote_redemption(
                             %s, %s, merchant_id => %s, order_ref => %s)""", member, total, BRANCH, order)
        points = min(most, wish)
    worth = 0
    tenders = '[]'
    if points > 0:
        (worth,) = ask("""SELECT cash_value FROM membership.redeem_points(
                              %s, %s, %s, merchant_id => %s, order_ref => %s, order_amount => %s)""",
                       member, points, order, BRANCH, order, total)
        tenders = f'[{{"kind": "points", "points": {points}}}]'
    connection.execute("""INSERT INTO till.sale (order_no, member_id, total, points, cash)
                          VALUES (%s, %s, %s, %s, %s::numeric - %s) ON CONFLICT DO NOTHING""",
                       [order, member, total, points, total, worth])
    earned, balance = ask('SELECT points, balance FROM membership.accrue_points(%s, %s, %s, %s, tenders => %s)',
                          member, BRANCH, total, order, tenders)
    return f'{order}: {points} points pay {worth}, {earned} earned, balance {balance}'


def checkout(*sale):
    for attempt in range(1, ATTEMPTS + 1):
        try:
            with psycopg.connect() as connection:  # commits when the block ends
                connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
                return sell(connection, *sale)
        except psycopg.OperationalError as error:
            if error.sqlstate not in AGAIN or attempt == ATTEMPTS:
                raise
            print(f'again: {error.sqlstate or "connection lost"}', file=sys.stderr)
            time.sleep(random.uniform(0.01, 0.02) * 2 ** attempt)


if __name__ == '__main__':
    member, order, total, wish = sys.argv[1:]
    print(checkout(int(member), order, total, int(wish)))
