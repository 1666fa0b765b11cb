// SPDX-License-Identifier: MIT
// pg-boss: workers that take batches and complete each with one statement.
import pg from "pg";
import { PgBoss } from "pg-boss";
import { database, post, settings, waitForGo } from "./common.js";

const QUEUE = "deliver";
const boss = new PgBoss({ ...database, max: settings.pool });
boss.on("error", (problem) => console.error(problem));

async function deliverAll(jobs) {
  const statuses = await Promise.all(
    jobs.map((job) => post(job.data.url, job.data.event_id, 1, JSON.stringify(job.data.body))));
  const bad = statuses.find((status) => status < 200 || status > 299);
  if (bad !== undefined) throw new Error(`HTTP ${bad}`);
}

await boss.start();
if (settings.setup) {
  await boss.createQueue(QUEUE, { retryLimit: 20, retryBackoff: true });
  await boss.stop();
  process.exit(0);
}
await waitForGo();
await boss.work(QUEUE, {
  batchSize: settings.batch,
  localConcurrency: settings.workers,
  pollingIntervalSeconds: 0.5,
  burstWhenBatchFull: true,
}, deliverAll);
