// SPDX-License-Identifier: MIT
// What workers say of themselves (src/db/worker_problems.h): what is ours, and which endpoints they hold back
// since their receivers fail.

const receivers = ["breakers"]; // problems that are not ours to mend

export function isReceivers(problem) {
  return receivers.includes(problem.name);
}

export function textOf(problem) {
  return [problem.what, problem.action].filter(Boolean).join("; ") || problem.name || "something is wrong";
}

function origin(url) {
  return /^https?:\/\/[^/?#]*/.exec(url)?.[0].toLowerCase();
}

function isAbout(held, endpoint) {
  if (held.url !== undefined) return held.url === endpoint.url && held.customer === endpoint.customer_id;
  return held.origin !== undefined && held.origin.toLowerCase() === origin(endpoint.url);
}

// The entry about an endpoint, with the time of its next attempt as "nextAt" in ms; undefined: it is not held.
export function heldOf(workers, endpoint) {
  for (const worker of workers?.data ?? []) {
    const held = worker.problems.flatMap((problem) => problem.held ?? []).find((one) => isAbout(one, endpoint));
    if (held !== undefined)
      return { ...held, nextAt: Date.parse(worker.seen_at) + (held.next_ms ?? 0), isOrigin: held.url === undefined };
  }
  return undefined;
}
