// SPDX-License-Identifier: MIT
// A receiver that applies each event once: it verifies, remembers, applies, answers.
//
//     npm ci && DATABASE_URL=postgresql:///billing WEBHOOK_SECRET=whsec_… PORT=8000 node receiver.js
const express = require("express");
const { Pool } = require("pg");
const { Webhook } = require("standardwebhooks");

const database = new Pool({ connectionString: process.env.DATABASE_URL });
const webhook = new Webhook(process.env.WEBHOOK_SECRET);
database.on("error", () => {}); // one that is idle was lost: the next is a new one

// All in one transaction: a crash undoes that the event was remembered, too.
async function apply(eventId, payment) {
  const client = await database.connect();
  let broken;
  try {
    await client.query("BEGIN");
    const first = await client.query("SELECT postrider_first_time($1, 'billing') AS is_first", [eventId]);
    if (first.rows[0].is_first)
      await client.query("UPDATE accounts SET cents = cents + $1 WHERE name = $2", [payment.cents, payment.account]);
    await client.query("COMMIT");
  } catch (error) {
    broken = error;
    throw error;
  } finally {
    client.release(broken); // one that has failed is closed, which rolls back
  }
}

const app = express();
app.post("*", express.raw({ type: "*/*", limit: "1mb" }), async (request, response) => {
  let event;
  try {
    event = webhook.verify(request.body, request.headers); // throws unless it is from who has the secret
  } catch {
    return response.status(400).end();
  }
  try {
    await apply(request.headers["webhook-id"], event.data);
    response.status(204).end();
  } catch {
    response.status(503).end(); // it is sent again
  }
});
app.listen(Number(process.env.PORT), "127.0.0.1");
