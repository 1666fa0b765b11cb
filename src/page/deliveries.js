// SPDX-License-Identifier: MIT
// Where is order 4711? Deliveries and dead letters, by filters that are all in the address.

import * as api from "./api.js";
import * as counting from "./counting.js";
import * as dialog from "./dialog.js";
import * as format from "./format.js";
import { html, nothing } from "./lit.js";
import * as parts from "./parts.js";
import * as polling from "./polling.js";
import { go, to } from "./route.js";
import * as session from "./session.js";

export const title = "Deliveries";

const within = { "15m": ["last 15 minutes", 900000], "1h": ["last hour", 3600000], "24h": ["last 24 hours", 86400000],
  "7d": ["last 7 days", 604800000], "30d": ["last 30 days", 2592000000] };
const standard = "24h"; // where the list needs a time and none was given

const tabs = [["failed", "Dead letters"], ["pending", "Pending"], ["delivered", "Delivered"], ["", "All"]];

function statusOf(query) {
  return query.status === undefined ? "failed" : query.status === "all" ? "" : query.status;
}

function needsTime(status) {
  return status === "delivered" || status === "" || (status === "pending" && session.isCustomer());
}

const DISCARD = "/v1/deliveries/{id}/discard";

// A range that moves on with the clock is told to the minute, so that it stays one question for a while.
function asked(query) {
  const status = statusOf(query);
  const filter = counting.filterOf(query);
  const range = query.within ?? (needsTime(status) && !filter.since ? standard : "");
  if (within[range] && !filter.since)
    filter.since = new Date(Math.floor(Date.now() / 60000) * 60000 - within[range][1]).toISOString();
  return { ...filter, status };
}

export function resources(route, changed) {
  api.has(DISCARD, changed); // what is offered depends on it
  return { page: { path: api.path("v1/deliveries", { ...asked(route.query), limit: 50, cursor: route.query.cursor }),
    keeps: JSON.stringify(route.query) } };
}

// --- the filters ---

// A time of the form is in the zone of who fills it in.
function local(text) {
  if (!text) return "";
  const at = new Date(text);
  return new Date(at.getTime() - at.getTimezoneOffset() * 60000).toISOString().slice(0, 19);
}

function submit(event) {
  event.preventDefault();
  const given = Object.fromEntries([...new FormData(event.target)].map(([name, value]) => [name, value.trim()]));
  for (const name of ["since", "until"])
    if (given[name] && !Number.isNaN(Date.parse(given[name]))) given[name] = new Date(given[name]).toISOString();
  go("deliveries", "", given);
}

const field = (name, label, value, more = {}) => html`<label class="field"><span>${label}</span><input name=${name}
  .value=${value ?? ""} type=${more.type ?? "text"} step=${more.step ?? nothing} placeholder=${more.placeholder ?? ""}
  pattern=${more.pattern ?? nothing} title=${more.title ?? nothing} autocomplete="off" spellcheck="false"></label>`;

const names = { q: "text", customer: "customer", endpoint: "endpoint", event_type: "event type", error: "error",
  status_code: "HTTP status", since: "from", until: "until", within: "within" };

function chips(query) {
  const given = Object.entries(names).filter(([name]) => query[name]);
  if (given.length === 0) return nothing;
  return html`<ul class="chips" aria-label="Filters that are set">${given.map(([name, label]) => {
    const rest = { ...query, [name]: "", cursor: "" };
    const shown = name === "within" ? within[query.within]?.[0] ?? query.within
      : name === "since" || name === "until" ? format.time(query[name]) : query[name];
    return html`<li><span>${label}: <b>${parts.text(shown)}</b></span><a href=${to("deliveries", "", rest)}
      aria-label="Remove the filter ${label}" title="Remove">×</a></li>`;
  })}</ul>`;
}

function isFiltered(query) {
  return Object.keys(names).some((name) => query[name]);
}

function form(query) {
  const status = statusOf(query);
  return html`<details class="filters" ?open=${matchMedia("(min-width: 900px)").matches}>
    <summary>Filters</summary>
    <form @submit=${submit} role="search" aria-label="Filter deliveries">
      <input type="hidden" name="status" .value=${query.status ?? "failed"}>
      ${field("q", "Text in the payload", query.q, { placeholder: "4711" })}
      ${field("event_type", "Event type", query.event_type, { placeholder: "order.paid or order.*" })}
      ${field("endpoint", "Endpoint", query.endpoint, { placeholder: "URL or id" })}
      ${session.forOperatorAlone(field("customer", "Customer", query.customer, { placeholder: "UUID" }))}
      ${field("error", "Error contains", query.error, { placeholder: "timeout" })}
      ${field("status_code", "HTTP status", query.status_code,
        { placeholder: "503", pattern: "[0-9]{3}", title: "three digits" })}
      <label class="field"><span>Inserted within</span><select name="within" .value=${query.within ?? ""}>
        <option value="">${needsTime(status) ? within[standard][0] : "any time"}</option>
        ${Object.entries(within).map(([name, [words]]) => html`<option value=${name}
          ?selected=${query.within === name}>${words}</option>`)}
      </select></label>
      ${field("since", "Inserted from", local(query.since), { type: "datetime-local", step: 1 })}
      ${field("until", "Inserted until", local(query.until), { type: "datetime-local", step: 1 })}
      <div class="buttons"><button class="main">Filter</button>
        ${isFiltered(query) ? html`<a class="button"
          href=${to("deliveries", "", { status: query.status })}>Clear</a>` : nothing}</div>
    </form></details>`;
}

// --- replaying or discarding all that match ---

export function filterWords(filter) {
  const entries = Object.entries(filter).filter(([name]) => names[name]);
  if (entries.length === 0) return html`all dead letters`;
  const shown = ([name, value]) => (name === "since" || name === "until" ? format.time(value) : value);
  return html`those with ${entries.map((entry, i) => html`${i > 0 ? ", " : ""}${names[entry[0]]} <b>${
    parts.text(shown(entry))}</b>`)}`;
}

function notThese(counted, verb) {
  if (counting.isNone(counted)) return html`<p>No dead letter matches, so there is nothing to ${verb}.</p>`;
  return html`<p>${format.count(counted)} match. By text, status or time of insertion that is too many to be chosen one
    by one: narrow the filter, or leave these out.</p>`;
}

const isNothing = (counted) => counting.isNone(counted) || counting.isTooMany(counted);

// Nobody agrees to lose what was not counted.
const mayNotDiscard = (counted) => counting.isNone(counted) || counted.is_at_least;

function notDiscarded(counted) {
  if (isNothing(counted)) return notThese(counted, "discard");
  return html`<p>${format.count(counted)} match, more than this page counts. Narrow the filter, or run <code>postrider
    dead discard</code>, which counts all before it asks.</p>`;
}

// What can't be taken back is typed: the number that was read.
function askDiscard(filter, words) {
  const begun = new Date().toISOString();
  return dialog.ask({
    title: "Discard all that match",
    count: (progress) => counting.countDead(filter, progress),
    isNothing: mayNotDiscard,
    describe: (counted) => (mayNotDiscard(counted) ? notDiscarded(counted) : html`
      <p class="big"><b>${format.count(counted)}</b> dead ${format.plural(counted.count, "letter", "letters")}</p>
      <p>This is ${words}, on all pages. What fails after ${parts.time(counted.at ?? begun)} is not among them.
      They are <b>deleted for good</b>, with their payloads, attempts and answers, and can never be sent again. Events
      that they were made for stay, and the ledger keeps who discarded what.</p>`),
    fields: [{ name: "typed", label: "Type the number of them",
      hint: "Nobody can take it back, so it is asked twice." }],
    action: (counted) => `Discard ${format.count(counted)}`,
    confirm: async (counted, values) => {
      if ((values.typed ?? "").replaceAll(/[\s,.]/gu, "") !== String(counted.count))
        throw new Error(`Nothing was discarded: type ${counted.count} to say that so many are meant.`);
      const made = await counting.replay(counted, { kind: "discard" });
      const discards = made.length === 1 ? "A discard" : `${made.length} discards`;
      session.say(`${discards} of ${format.count(counted)} was asked for.`);
      go("replays", made.length === 1 ? made[0].id : "");
    },
  });
}

export function askReplay(filter, words) {
  const begun = new Date().toISOString();
  return dialog.ask({
    title: "Replay all that match",
    count: (progress) => counting.countDead(filter, progress),
    isNothing,
    describe: (counted) => {
      if (isNothing(counted)) return notThese(counted, "replay");
      return html`<p class="big"><b>${format.count(counted)}</b> dead ${
        format.plural(counted.count, "letter", "letters")}</p>
        <p>This is ${words}, on all pages. What fails after ${parts.time(counted.at ?? begun)} is not among them.
        Workers send them again, slowly at first; those of endpoints that are disabled stay as they are.</p>`;
    },
    fields: [{ name: "rate", label: "At most so many a second", type: "number", min: 1,
      hint: "Empty: as fast as receivers and workers can take it." }],
    action: (counted) => `Replay ${format.count(counted)}`,
    confirm: async (counted, values) => {
      const made = await counting.replay(counted, values.rate ? { rate: Number(values.rate) } : {});
      const replays = made.length === 1 ? "A replay" : `${made.length} replays`;
      session.say(`${replays} of ${format.count(counted)} was asked for.`);
      go("replays", made.length === 1 ? made[0].id : "");
    },
  });
}

function actions(route) {
  if (statusOf(route.query) !== "failed") return nothing;
  const { since, ...rest } = asked(route.query);
  const filter = { ...rest, ...(since ? { since } : {}) };
  delete filter.status;
  const words = filterWords(filter);
  const mayDiscard = !session.isCustomer() && api.has(DISCARD);
  return session.ifOperator(html`
    <button @click=${() => askReplay(filter, words)}>Replay all that match …</button>
    ${mayDiscard ? html`<button class="danger" @click=${() => askDiscard(filter, words)}>Discard all that match
      …</button>`
      : nothing}`);
}

// --- the list ---

function idOf(row) {
  return html`<a class="id" href=${to("deliveries", row.id)} title=${row.id}>${format.shortId(row.id)}</a>`;
}

function endpointOf(row) {
  if (!row.endpoint_id) return parts.url(row.url);
  return html`<a href=${to("endpoints", row.endpoint_id)}>${parts.url(row.url)}</a>`;
}

function lastAnswer(row) {
  if (row.status_code === null && row.error === null) return parts.none();
  const error = row.error ? html`<span class="error">${parts.text(row.error)}</span>` : nothing;
  return html`${row.status_code === null ? nothing : parts.statusCode(row.status_code)} ${error}`;
}

export function columns({ isCustomer = false, hasEndpoint = true, status = "" } = {}) {
  return [
    { title: "Delivery", cell: idOf },
    ...(status === "" ? [{ title: "State", cell: (row) => parts.badge(row.status) }] : []),
    { title: "Event type", width: "narrow", cell: (row) => parts.type(row.event_type) },
    ...(hasEndpoint ? [{ title: "Endpoint", width: "middle", cell: endpointOf }] : []),
    ...(isCustomer ? [] : [{ title: "Customer", cell: (row) => parts.id(row.customer_id) }]),
    { title: "Last answer", width: "wide", cell: lastAnswer },
    { title: "Attempts", isNumber: true, cell: (row) => format.number(row.attempts) },
    status === "pending" ? { title: "Next attempt", cell: (row) => parts.age(row.next_attempt_at) }
      : status === "failed" ? { title: "Failed", cell: (row) => parts.age(row.failed_at) }
        : { title: "Last attempt", cell: (row) => parts.age(row.last_attempt_at) },
    { title: "Inserted", cell: (row) => parts.time(row.created_at) },
  ];
}

function empty(query, page) {
  if (page.next_cursor) return "Nothing among those that were looked at so far. There are older ones: search further.";
  if (isFiltered(query)) return "Nothing matches these filters.";
  const words = { failed: "There are no dead letters.", pending: "Nothing is pending." };
  return words[statusOf(query)] ?? "There is nothing in this time.";
}

export function view(route) {
  const { query } = route;
  const status = statusOf(query);
  const keep = Object.fromEntries(Object.entries(query).filter(([name]) => name !== "cursor" && name !== "status"));
  return html`<h1 tabindex="-1">Deliveries</h1>
    <nav class="tabs" aria-label="Which deliveries">${tabs.map(([name, label]) => html`
      <a href=${to("deliveries", "", { status: name === "" ? "all" : name, ...keep })}
        aria-current=${name === status ? "page" : nothing}>${label}</a>`)}</nav>
    ${form(query)}
    <div class="heading">${chips(query)}${polling.value("page")?.data.length ? actions(route) : nothing}</div>
    ${parts.loaded("page", (page) => html`
      ${parts.table({ caption: "Deliveries", rows: page.data, key: (row) => row.id, empty: empty(query, page),
        columns: columns({ isCustomer: session.isCustomer(), status }) })}
      ${parts.pager(page, "deliveries", query, status === "pending" ? "that are due later" : "older ones")}`)}`;
}
