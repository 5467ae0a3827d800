#!/usr/bin/env node
// Sells once, however often it is called with the same order, and prints the sale.
//
//     checkout.js MEMBER ORDER TOTAL POINTS     POINTS: the most that the member wants to spend, in whole steps
const pg = require('pg');

const BRANCH = 1;
const ATTEMPTS = 8;
// deadlock and serialization failure, and the server going away
const AGAIN = ['40001', '40P01', '57P01', '57P02', '57P03'];

// The sale; all of it or nothing is committed.
async function sell(client, member, order, total, wish) {
  const ask = async (query, ...values) => (await client.query(query, values)).rows[0];

  await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ');
  const sold = await ask('SELECT points FROM till.sale WHERE order_no = $1', order);
  let points;
  if (sold) {  // by an earlier call: the same again
    points = Number(sold.points);
  } else {
    const quote = await ask(`SELECT max_points FROM membership.quote_redemption(
                                 $1, $2, merchant_id => $3, order_ref => $4)`, member, total, BRANCH, order);
    points = Math.min(quote.max_points, wish);
  }
  let worth = 0;
  let tenders = [];
  if (points > 0) {
    const redeemed = await ask(`SELECT cash_value FROM membership.redeem_points(
                                    $1, $2, $3, merchant_id => $4, order_ref => $3, order_amount => $5)`,
                               member, points, order, BRANCH, total);
    worth = redeemed.cash_value;
    tenders = [{ kind: 'points', points }];
  }
  await client.query(`INSERT INTO till.sale (order_no, member_id, total, points, cash)
                      VALUES ($1, $2, $3, $4, $3::numeric - $5) ON CONFLICT DO NOTHING`,
                     [order, member, total, points, worth]);
  const earned = await ask('SELECT points, balance FROM membership.accrue_points($1, $2, $3, $4, tenders => $5)',
                           member, BRANCH, total, order, JSON.stringify(tenders));
  await client.query('COMMIT');
  return `${order}: ${points} points pay ${worth}, ${earned.points} earned, balance ${earned.balance}`;
}

async function checkout(...sale) {
  for (let attempt = 1; ; attempt++) {
    const client = new pg.Client();
    client.on('error', () => {});  // a lost connection also fails the query at hand
    try {
      await client.connect();
      return await sell(client, ...sale);
    } catch (error) {
      const fromServer = error instanceof pg.DatabaseError;  // else the connection was lost
      if ((fromServer && !AGAIN.includes(error.code)) || attempt === ATTEMPTS) throw error;
      console.error(`again: ${fromServer ? error.code : 'connection lost'}`);
      await new Promise((resume) => setTimeout(resume, (10 + 10 * Math.random()) * 2 ** attempt));
    } finally {
      client.end().catch(() => {});
    }
  }
}

const [member, order, total, wish] = process.argv.slice(2);
checkout(member, order, total, Number(wish)).then(console.log);
