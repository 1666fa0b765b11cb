// SPDX-License-Identifier: MIT
// What endpoints have had in the last day (GET /v1/endpoints/activity), and what workers send to them just now.
//
// The history keeps minutes apart for endpoints with trouble, and for the busiest. So what is shown says of how
// much it is, and what is not known is never shown as 0.

import * as charts from "./charts.js";
import * as format from "./format.js";
import * as past from "./history.js";
import { html, nothing } from "./lit.js";
import * as parts from "./parts.js";
import * as polling from "./polling.js";

// Of the endpoints of a page; undefined while it isn't there.
export function resource(page) {
  if (!page || page.data.length === 0) return undefined;
  const ids = page.data.map((row) => row.id).sort();
  return { path: `v1/endpoints/activity?ids=${ids.join(",")}`, everyMs: 60000, keeps: "activity" };
}

function of(row) {
  return polling.value("activity")?.data.find((one) => one.endpoint_id === row.id);
}

const why = "Minutes are kept apart for endpoints with trouble, and for the busiest.";
const unknown = () => html`<span class="quiet small" title=${why}>not kept</span>`;
const isWhole = (had) => had.left_out_minutes === 0;
const attemptsOf = (statuses) => Object.values(statuses).reduce((sum, amount) => sum + amount, 0);

// figure(had): what is shown of those minutes that were kept.
function cell(row, figure, ofNothing) {
  const had = of(row);
  if (had === undefined) return polling.problem("activity") ? parts.none() : html`<span class="quiet">…</span>`;
  if (had.kept_minutes === 0) return isWhole(had) ? ofNothing : unknown();
  return figure(had);
}

function minutes(had) {
  return isWhole(had) ? nothing : html` <span class="quiet small">in ${format.number(had.kept_minutes)} min</span>`;
}

export function isPartial() {
  return (polling.value("activity")?.data ?? []).some((had) => !isWhole(had));
}

export function delivered(row) {
  const atLeast = html`<span class="quiet small">at least</span> `;
  return cell(row, (had) => html`${isWhole(had) ? nothing : atLeast}${format.number(had.delivered)}`, "0");
}

export function errors(row) {
  return cell(row, (had) => {
    const all = attemptsOf(had.statuses);
    const bad = all - had.statuses["2xx"];
    if (all === 0) return parts.none();
    return html`<span class="together">${format.percent(bad, all)}</span>${minutes(had)}`;
  }, parts.none());
}

export function p95(row) {
  return cell(row, (had) => {
    const ms = past.percentile(had.attempt_duration, polling.value("activity").buckets_ms, 0.95);
    return ms === null ? parts.none() : html`<span class="together">${charts.inTime(ms)}</span>${minutes(had)}`;
  }, parts.none());
}

// The last answer, with all of its minute on hover. Of older workers only classes are known: the most first.
export function last(row) {
  const newest = of(row)?.last;
  const classes = Object.entries(newest?.statuses ?? {}).filter(([, amount]) => amount > 0).sort((a, b) => b[1] - a[1]);
  if (classes.length === 0) return cell(row, () => parts.none(), parts.none());
  const [[most]] = classes;
  const name = newest.status === 0 || (newest.status === null && most === "none") ? "no answer" : newest.status ?? most;
  const all = classes.map(([words, amount]) => `${format.number(amount)} × ${words === "none" ? "no answer" : words}`);
  return html`<span class="code ${String(name).startsWith("2") ? "good" : "bad"} together"
    title="In that minute: ${all.join(", ")}">${name}</span> <span class="quiet small">${parts.age(newest.at)}</span>`;
}

// --- just now ---

// What the worker of its lane says: {in_flight, slots, limited}; undefined: it is not among the busiest.
export function busy(workers, endpoint) {
  for (const worker of workers?.data ?? [])
    for (const one of worker.busy ?? [])
      if (one.url === endpoint.url && one.customer === endpoint.customer_id) return one;
  return undefined;
}

const isWholeList = (busy) => busy !== null && busy.length < 50;
const knowsAll = (workers) => workers !== undefined && workers.data.every((worker) => isWholeList(worker.busy));

export function slots(row) {
  const workers = polling.value("workers");
  const now = busy(workers, row);
  if (now !== undefined)
    return html`<span class="together">${format.number(now.in_flight)} <span class="quiet">of ${
      format.number(now.slots)}</span></span>`;
  return workers?.data.length > 0 && knowsAll(workers) ? "0" : parts.none();
}

export const limits = { slots: "limited by its slots", rate: "limited by its rate", origin: "limited by its origin" };

// The values that workers have for what a row leaves to the configuration: one, or several where they differ.
export function defaults(workers, name) {
  const found = (workers?.data ?? []).filter((worker) => worker.defaults).map((worker) => worker.defaults[name]);
  return [...new Map(found.map((value) => [JSON.stringify(value), value])).values()];
}
