// SPDX-License-Identifier: MIT
// Who is in trouble, and what does it cost?

import * as activity from "./activity.js";
import * as api from "./api.js";
import * as format from "./format.js";
import { heldOf } from "./held.js";
import { html, nothing } from "./lit.js";
import * as parts from "./parts.js";
import * as polling from "./polling.js";
import { go, to } from "./route.js";

export const title = "Endpoints";

const tabs = [["", "All"], ["failing", "Failing"], ["disabled", "Disabled"], ["paused", "Paused"],
  ["enabled", "Answering"]];

export function resources({ query }) {
  const chosen = { state: query.state, customer: query.customer, url: query.url, limit: 50, cursor: query.cursor };
  const wanted = { page: { path: api.path("v1/endpoints", chosen), everyMs: 5000 }, workers: { path: "v1/workers" },
    types: { path: "v1/event-types", everyMs: 30000 } };
  const had = activity.resource(polling.value("page"));
  return had === undefined ? wanted : { ...wanted, activity: had };
}

function submit(event) {
  event.preventDefault();
  go("endpoints", "", Object.fromEntries([...new FormData(event.target)].map(([name, value]) => [name, value.trim()])));
}

const order = ["failing", "disabled", "paused", "enabled"];
const waiting = (row) => row.backlog?.count ?? 0;

// Of a page: trouble first, and of that what costs most.
function sorted(rows) {
  return [...rows].sort((a, b) => order.indexOf(a.state) - order.indexOf(b.state) || waiting(b) - waiting(a));
}

export function subscriptions(types) {
  if (types === null) return html`<span class="quiet">none</span>`;
  const more = types.length > 3 ? html`<span class="quiet">and ${types.length - 3} more</span>` : nothing;
  return html`<span class="types">${types.slice(0, 3).map((type) => html`<code>${parts.text(type)}</code> `)}${
    more}</span>`;
}

function since(row) {
  if (row.state === "disabled") {
    const reason = row.disabled_reason ? html`: ${parts.text(row.disabled_reason)}` : nothing;
    return html`${parts.age(row.disabled_at)}${reason}`;
  }
  const since = row.state === "paused" ? row.paused_at : row.failing_since;
  return since === null ? nothing : html`for ${parts.lasting(since)}`;
}

// As the worker of its lane has it just now.
function heldState(row) {
  const workers = polling.value("workers");
  const held = heldOf(workers, row);
  const words = { open: "held by its breaker", probing: "being probed", held: "asked for a pause" };
  const limited = activity.busy(workers, row)?.limited;
  if (held === undefined && limited === undefined) return nothing;
  const said = held !== undefined ? words[held.state] ?? "held" : activity.limits[limited] ?? "limited";
  return html`<br><span class="quiet small">${said}</span>`;
}

function customer(row) {
  const all = to("endpoints", "", { customer: row.customer_id });
  return html`<br><span class="quiet small">customer <a class="id" title=${row.customer_id} href=${all}>${
    format.shortId(row.customer_id)}</a></span>`;
}

function backlog(row) {
  if (!row.backlog) return parts.none();
  return html`${format.shortCount(row.backlog)}${row.oldest_due_at === null ? nothing
    : html`<br><span class="quiet small">oldest due ${parts.age(row.oldest_due_at)}</span>`}`;
}

const columns = [
  { title: "Endpoint", width: "wide",
    cell: (row) => html`<a href=${to("endpoints", row.id)}>${parts.url(row.url)}</a>${customer(row)}` },
  { title: "State", width: "middle",
    cell: (row) => html`${parts.badge(row.state)} <span class="quiet small">${since(row)}</span>${heldState(row)}` },
  { title: "Waiting", isNumber: true, cell: backlog },
  { title: "In flight", isNumber: true, cell: activity.slots },
  { title: "p95, 24 h", isNumber: true, cell: activity.p95 },
  { title: "Errors, 24 h", isNumber: true, cell: activity.errors },
  { title: "Delivered, 24 h", isNumber: true, cell: activity.delivered },
  { title: "Last answer", cell: activity.last },
  { title: "Subscribed to", width: "middle", cell: (row) => subscriptions(row.event_types) },
];

function volumes(types) {
  if (types.data.length === 0) return nothing;
  return html`<section><h2>What is published</h2>
    ${parts.table({ caption: "Event types", rows: types.data.slice(0, 20), key: (row) => row.type, empty: "", columns: [
      { title: "Event type", cell: (row) => html`<code>${parts.text(row.type)}</code>` },
      { title: "Of the newest 10,000 events", isNumber: true, cell: (row) => format.number(row.events) },
      { title: "Last", cell: (row) => parts.age(row.last_at) },
    ] })}</section>`;
}

function nothingThere(query) {
  if (query.state || query.url || query.customer) return "No endpoint is like that.";
  return html`There is no endpoint yet. Rows of <code>webhook_deliveries</code> need none; <a
    href="v1/openapi.json">POST /v1/endpoints</a> makes one.`;
}

export function view({ query }) {
  const keep = { customer: query.customer, url: query.url };
  return html`<h1 tabindex="-1">Endpoints</h1>
    <nav class="tabs" aria-label="Which endpoints">${tabs.map(([name, label]) => html`
      <a href=${to("endpoints", "", { ...keep, state: name })}
        aria-current=${name === (query.state ?? "") ? "page" : nothing}>${label}</a>`)}</nav>
    <form class="line" @submit=${submit} role="search" aria-label="Filter endpoints">
      <input type="hidden" name="state" .value=${query.state ?? ""}>
      <label class="field"><span>URL</span><input name="url" .value=${query.url ?? ""}
        placeholder="https://… whole" autocomplete="off"></label>
      <label class="field"><span>Customer</span><input name="customer" .value=${query.customer ?? ""}
        placeholder="UUID" autocomplete="off"></label>
      <div class="buttons"><button class="main">Filter</button>${query.url || query.customer
        ? html`<a class="button" href=${to("endpoints", "", { state: query.state })}>Clear</a>` : nothing}</div>
    </form>
    ${parts.loaded("page", (page) => html`${parts.table({
      caption: "Endpoints", rows: sorted(page.data), key: (row) => row.id, columns, empty: nothingThere(query),
    })}
      ${parts.pager(page, "endpoints", query, "endpoints")}
      ${activity.isPartial() ? html`<p class="quiet small">Figures of 24 h are of the minutes that were kept apart:
        those with trouble, and those of the busiest endpoints. Where something says “in 37 min”, it went without
        trouble in the others, or had nothing.</p>` : nothing}`)}
    ${parts.loaded("types", volumes)}`;
}
