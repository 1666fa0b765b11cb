// SPDX-License-Identifier: MIT
// The hand-written worker: claims batches with SKIP LOCKED under a lease, sends them, and marks what
// is done with one UPDATE at a time. On the table and the one index that articles recommend.
import pg from "pg";
import { database, post, settings, waitForGo } from "./common.js";

const CLAIM = `
  UPDATE webhook_deliveries SET next_retry_at = now() + interval '60 seconds'
  WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM webhook_deliveries
    WHERE status = 'pending' AND next_retry_at <= now()
    ORDER BY next_retry_at LIMIT $1 FOR UPDATE SKIP LOCKED))
  RETURNING id, event_id, webhook_url, payload::text AS payload, attempts`;
const MARK_DELIVERED = `
  UPDATE webhook_deliveries d SET status = 'delivered', attempts = attempts + 1,
         last_attempt_at = now(), response_status = o.status
  FROM unnest($1::uuid[], $2::int[]) AS o (id, status) WHERE d.id = o.id`;
const MARK_RETRY = `
  UPDATE webhook_deliveries d SET attempts = attempts + 1, last_attempt_at = now(),
         status = CASE WHEN attempts >= 19 THEN 'failed' ELSE 'pending' END,
         next_retry_at = now() + least(2 ^ attempts, 14400) * interval '1 second',
         response_status = o.status, last_error = o.error
  FROM unnest($1::uuid[], $2::int[], $3::varchar[]) AS o (id, status, error) WHERE d.id = o.id`;

const reader = new pg.Client(database);
const writer = new pg.Client(database);
await Promise.all([reader.connect(), writer.connect()]);

const claimed = [];
let inFlight = 0;
let delivered = [];
let failed = [];
let wake = () => {};

async function send(row) {
  let status = null;
  let error = null;
  try {
    status = await post(row.webhook_url, row.event_id, row.attempts + 1, row.payload);
    if (status < 200 || status > 299) error = `HTTP ${status}`;
  } catch (problem) {
    error = problem.message;
  }
  (error === null ? delivered : failed).push({ id: row.id, status, error });
  inFlight--;
  sendMore();
  wake();
}

function sendMore() {
  while (inFlight < settings.concurrency && claimed.length > 0) {
    inFlight++;
    send(claimed.shift());
  }
}

async function claimForever() {
  for (;;) {
    if (claimed.length <= settings.batch / 2) {
      const { rows } = await reader.query({ name: "claim", text: CLAIM, values: [settings.batch] });
      claimed.push(...rows);
      sendMore();
      if (rows.length > 0) continue;
      await new Promise((done) => setTimeout(done, 100));
    } else {
      await new Promise((done) => (wake = done));
    }
  }
}

async function markForever() {
  for (;;) {
    await new Promise((done) => setTimeout(done, settings.gather_ms));
    const [good, bad] = [delivered, failed];
    [delivered, failed] = [[], []];
    if (good.length > 0)
      await writer.query({
        name: "delivered",
        text: MARK_DELIVERED,
        values: [good.map((o) => o.id), good.map((o) => o.status)],
      });
    if (bad.length > 0)
      await writer.query({
        name: "retry",
        text: MARK_RETRY,
        values: [bad.map((o) => o.id), bad.map((o) => o.status), bad.map((o) => o.error)],
      });
  }
}

await waitForGo();
await Promise.all([claimForever(), markForever()]);
