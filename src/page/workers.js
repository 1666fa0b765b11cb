// SPDX-License-Identifier: MIT
// Who serves what, and who may ask?

import * as format from "./format.js";
import { textOf } from "./held.js";
import { html, nothing } from "./lit.js";
import * as parts from "./parts.js";
import { to } from "./route.js";

export const title = "Workers and tokens";

export function resources() {
  return { workers: { path: "v1/workers" }, tokens: { path: "v1/tokens", everyMs: 10000 } };
}

function stateOf(worker) {
  if (worker.is_late)
    return html`${parts.badge("late")} <span class="quiet">heard of ${parts.age(worker.seen_at)}</span>`;
  return worker.is_leaving ? parts.badge("leaving") : parts.badge("running");
}

function problems(worker) {
  if (worker.problems.length === 0) return html`<span class="quiet">none</span>`;
  return worker.problems.map((problem) => html`<p class="warning">${parts.text(textOf(problem))}</p>`);
}

const columns = [
  { title: "Worker", width: "narrow",
    cell: (row) => html`<b>${parts.text(row.host)}</b> <span class="quiet">process ${row.pid}</span>` },
  { title: "State", cell: stateOf },
  { title: "Lanes", isNumber: true, cell: (row) => format.number(row.lanes) },
  { title: "In flight", isNumber: true, cell: (row) => format.number(row.in_flight) },
  { title: "Waiting", isNumber: true, cell: (row) => format.number(row.waiting) },
  { title: "A second", isNumber: true, cell: (row) => format.rate(row.rate) },
  { title: "Delivered", isNumber: true, cell: (row) => format.number(row.delivered) },
  { title: "Tried again", isNumber: true, cell: (row) => format.number(row.retried) },
  { title: "Dead", isNumber: true, cell: (row) => format.number(row.failed) },
  { title: "Problems", width: "wide", cell: problems },
  { title: "Started", cell: (row) => parts.age(row.started_at) },
  { title: "Version", cell: (row) => parts.text(row.version) },
];

function sentence({ data, lanes }) {
  const versions = new Set(data.map((worker) => worker.version));
  if (data.length === 0) return "No worker runs, so nothing is delivered.";
  const unowned = lanes.unowned > 0 ? `; ${lanes.unowned} have nobody, and what is due in them waits` : "";
  const mixed = versions.size > 1 ? `; they are of ${versions.size} versions` : "";
  return `${format.number(data.length)} ${format.plural(data.length, "worker serves", "workers serve")} ${
    lanes.owned} of 64 lanes${unowned}${mixed}.`;
}

const quiet = (words) => html`<span class="quiet">${words}</span>`;

function customer(token) {
  if (token.customer_id === null) return quiet("all");
  const its = to("endpoints", "", { customer: token.customer_id });
  return html`<a class="id" title=${token.customer_id} href=${its}>${format.shortId(token.customer_id)}</a>`;
}

const tokenColumns = [
  { title: "Token", cell: (row) => html`<b>${parts.text(row.name)}</b>` },
  { title: "State", cell: (row) => parts.badge(row.is_valid ? "valid" : "ended") },
  { title: "May", cell: (row) => row.scopes.join(", ") },
  { title: "Customer", cell: customer },
  { title: "Last used", cell: (row) => row.last_used_on ?? quiet("never") },
  { title: "Ends", cell: (row) => (row.not_after === null ? quiet("when it is revoked") : parts.age(row.not_after)) },
  { title: "Rotated", cell: (row) => (row.previous_until === null ? parts.none()
    : html`the one before ends ${parts.age(row.previous_until)}`) },
  { title: "Events a second", isNumber: true,
    cell: (row) => (row.publish_rate === null ? quiet("no limit") : format.exactNumber(row.publish_rate)) },
  { title: "Made", cell: (row) => parts.age(row.created_at) },
];

export function view() {
  return html`<h1 tabindex="-1">Workers and tokens</h1>
    ${parts.loaded("workers", (workers) => html`
      <div class="sentence ${workers.lanes.unowned > 0 ? "failed" : ""}"><p><span class="said">${
        sentence(workers)}</span></p></div>
      ${parts.table({ caption: "Workers", rows: workers.data, key: (row) => row.owner, columns,
        empty: html`Start one: <code>postrider run</code>.` })}`)}
    <section><h2>Tokens</h2>${parts.loaded("tokens", (tokens) => html`
      ${parts.table({ caption: "Tokens", rows: tokens.data, key: (row) => row.id, columns: tokenColumns,
        empty: "There are no tokens." })}
      ${tokens.is_more ? html`<p class="quiet">These are the first 1,000.</p>` : nothing}`)}</section>`;
}
