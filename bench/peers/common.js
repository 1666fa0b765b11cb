// SPDX-License-Identifier: MIT
// What the three peers share: settings, signing, the HTTP client, start and end.
import { createHmac } from "node:crypto";
import { createInterface } from "node:readline";
import { Agent } from "undici";

export const settings = JSON.parse(process.argv[2]);
export const database = { host: settings.socket, database: settings.database, user: "postgres" };

const key = Buffer.from(settings.secret.slice("whsec_".length), "base64");
const agent = new Agent({
  connections: settings.connections, // to one origin
  pipelining: settings.pipelining,
  keepAliveTimeout: 60_000,
  headersTimeout: 10_000,
  bodyTimeout: 10_000,
});

const places = new Map();
function place(url) {
  let known = places.get(url);
  if (known === undefined) {
    const { origin, pathname, search } = new URL(url);
    places.set(url, (known = { origin, path: pathname + search }));
  }
  return known;
}

// What undici calls while an answer comes. dispatch() costs half of what request() does.
class Answer {
  constructor(resolve, reject) {
    this.resolve = resolve;
    this.reject = reject;
    this.status = 0;
  }
  onRequestStart() {}
  onResponseStart(_controller, status) {
    this.status = status;
  }
  onResponseData() {}
  onResponseEnd() {
    this.resolve(this.status);
  }
  onResponseError(_controller, error) {
    this.reject(error);
  }
}

// One signed request, as Postrider makes it. Returns the status.
export function post(url, eventId, attempt, body) {
  const timestamp = String(Math.floor(Date.now() / 1000));
  const signature = createHmac("sha256", key)
    .update(`${eventId}.${timestamp}.${body}`)
    .digest("base64");
  const { origin, path } = place(url);
  const request = {
    origin,
    path,
    method: "POST",
    idempotent: true, // receivers know the event: only so may requests be pipelined
    blocking: false,
    headers: {
      "content-type": "application/json",
      "user-agent": "peer/1",
      "x-event-id": eventId,
      "x-delivery-attempt": String(attempt),
      "webhook-id": eventId,
      "webhook-timestamp": timestamp,
      "webhook-signature": "v1," + signature,
    },
    body,
  };
  return new Promise((resolve, reject) => agent.dispatch(request, new Answer(resolve, reject)));
}

// Says that all is loaded and connected, and waits for the start of the measurement.
export async function waitForGo() {
  process.on("SIGTERM", () => process.exit(0));
  process.stdout.write("ready\n");
  for await (const line of createInterface({ input: process.stdin })) {
    if (line === "go") return;
  }
  process.exit(1);
}
