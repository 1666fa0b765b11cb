// SPDX-License-Identifier: MIT
// graphile-worker: a task that sends one delivery. Its queue is its own, no webhook_deliveries.
import pg from "pg";
import { run, runMigrations } from "graphile-worker";
import { database, post, settings, waitForGo } from "./common.js";

const pgPool = new pg.Pool({ ...database, max: settings.pool });
pgPool.on("error", (problem) => console.error(problem));
pgPool.on("connect", (client) => client.on("error", (problem) => console.error(problem)));

async function deliver(payload, helpers) {
  const status = await post(payload.url, payload.event_id, helpers.job.attempts,
    JSON.stringify(payload.body));
  if (status < 200 || status > 299) throw new Error(`HTTP ${status}`);
}

const options = {
  pgPool,
  preset: {
    worker: {
      concurrentJobs: settings.concurrency,
      pollInterval: 100,
      localQueue: { size: settings.batch },
      completeJobBatchDelay: settings.gather_ms,
      failJobBatchDelay: settings.gather_ms,
    },
  },
};

if (settings.setup) {
  await runMigrations({ pgPool });
  await pgPool.end();
} else {
  await pgPool.query("SELECT 1");
  await waitForGo();
  const runner = await run({ ...options, taskList: { deliver }, noHandleSignals: true });
  await runner.promise;
}
