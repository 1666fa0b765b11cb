// SPDX-License-Identifier: MIT
// Keeps what a screen shows fresh: each of its resources is asked for again every 2 s, with its ETag.
//
// Nothing is asked for while the tab is hidden or the page is paused, but what has never been there.
// Where nobody answers, what is shown stays, with its age, and the pauses grow to 30 s.

import { Problem, request } from "./api.js";

export const EVERY_MS = 2000;
const TICK_MS = 250;
const LONGEST_MS = 30000;

// Half of the time until it is asked for again: with many open pages, one question serves several. But who has
// changed something sees what came of it.
const maxAgeS = (resource, isForced) => (isForced ? undefined : Math.max(1, Math.floor(resource.everyMs / 2000)));

// by name: {path, everyMs, isExact, value, etag, at, problem, nextAt, isAsking}
let resources = {};
let onChange = () => {};
let isPaused = false;
let failures = 0;
let away = null; // the Problem because of which nothing new comes
let asOf = null;

export function start(changed) {
  onChange = changed;
  setInterval(tick, TICK_MS);
  document.addEventListener("visibilitychange", tick);
}

// Those of the screen: {name: {path, everyMs?, isExact?, keeps?}}. What was there of the same path stays, and with the
// same "keeps" that of another path until its own is there: a range of time that moves on.
export function watch(wanted) {
  const next = {};
  for (const [name, resource] of Object.entries(wanted)) {
    const before = resources[name];
    const isSame = resource.keeps !== undefined && before?.keeps === resource.keeps;
    next[name] = before?.path === resource.path ? before
      : { everyMs: EVERY_MS, ...resource, nextAt: 0, value: isSame ? before.value : undefined };
  }
  resources = next;
  tick();
}

export function forget() {
  resources = {};
  away = null;
  failures = 0;
}

export const state = {
  get isPaused() { return isPaused; },
  get away() { return away; },
  get asOf() { return asOf; },
  get retryAt() { return Math.min(...Object.values(resources).map((resource) => resource.nextAt)); },
};

export function value(name) {
  return resources[name]?.value;
}

export function problem(name) {
  return resources[name]?.problem;
}

export function setPaused(paused) {
  isPaused = paused;
  if (!paused) refresh();
  onChange();
}

// Now, and whatever the pauses say: somebody has asked for it, or has changed something.
export function refresh() {
  for (const resource of Object.values(resources)) resource.nextAt = 0;
  failures = 0;
  tick(true);
}

function isWanted(resource, isForced) {
  const isNew = resource.value === undefined && resource.problem === undefined;
  return !resource.isAsking && Date.now() >= resource.nextAt && (isForced || isNew || (!isPaused && !document.hidden));
}

function tick(isForced = false) {
  for (const resource of Object.values(resources))
    if (isWanted(resource, isForced === true)) ask(resource, isForced === true);
}

async function ask(resource, isForced) {
  resource.isAsking = true;
  try {
    const answer = await request("GET", resource.path, { ...resource, maxAgeS: maxAgeS(resource, isForced) });
    succeed(resource, answer);
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
    fail(resource, error);
  } finally {
    resource.isAsking = false;
  }
  onChange(resource.problem);
}

function succeed(resource, answer) {
  if (answer.value !== undefined) resource.value = answer.value;
  resource.etag = answer.etag;
  resource.at = Date.now();
  resource.problem = undefined;
  resource.nextAt = Date.now() + resource.everyMs;
  failures = 0;
  away = null;
  asOf = Date.now();
}

// What is refused for what it says is refused again; it is asked for seldom, and what was shown goes.
function fail(resource, problem) {
  resource.problem = problem;
  if (problem.isPassing) {
    failures += 1;
    away = problem;
    const pause = Math.min(LONGEST_MS, EVERY_MS * 2 ** Math.min(failures, 10));
    for (const other of Object.values(resources)) other.nextAt = Date.now() + pause;
    return;
  }
  resource.value = undefined;
  resource.etag = undefined;
  resource.nextAt = Date.now() + LONGEST_MS;
}
