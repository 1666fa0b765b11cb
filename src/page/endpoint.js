// SPDX-License-Identifier: MIT
// Why is one endpoint like that, and what can be done?

import * as activity from "./activity.js";
import * as api from "./api.js";
import * as charts from "./charts.js";
import { columns } from "./deliveries.js";
import * as dialog from "./dialog.js";
import { subscriptions } from "./endpoints.js";
import * as format from "./format.js";
import { heldOf } from "./held.js";
import * as past from "./history.js";
import { html, nothing } from "./lit.js";
import { historySection } from "./overview.js";
import * as parts from "./parts.js";
import * as polling from "./polling.js";
import { go, to } from "./route.js";
import * as session from "./session.js";
import { verdicts } from "./verdicts.js";

export const title = "Endpoint";

let checked = null; // {endpoint, id, name}: a test or a doctor that was asked for

const pathOf = (route) => `v1/endpoints/${encodeURIComponent(route.id)}`;

export function resources(route, changed) {
  const range = charts.rangeOf(route.query);
  const wanted = { endpoint: { path: pathOf(route) },
    dead: { path: api.path("v1/deliveries", { status: "failed", endpoint: route.id, limit: 10 }), everyMs: 5000 } };
  if (!session.isCustomer()) wanted.workers = { path: "v1/workers" };
  api.has("/v1/endpoints/{id}/test", changed); // what is offered depends on it
  wanted.history = { path: api.path(`${pathOf(route)}/history`, charts.span(range)), everyMs: 15000, keeps: route.id };
  if (checked?.endpoint === route.id) wanted.check = { path: `v1/replays/${checked.id}`, everyMs: 1000 };
  return wanted;
}

// --- what can be done ---

async function act(path, words) {
  await api.post(path);
  session.say(words);
  polling.refresh();
}

async function countPending(endpoint) {
  const which = { status: "pending", endpoint: endpoint.id, customer: endpoint.customer_id };
  return api.get(api.path("v1/deliveries/count", which));
}

function askDisable(endpoint) {
  return dialog.ask({
    title: "Disable this endpoint",
    count: () => countPending(endpoint),
    describe: (counted) => html`<p class="big"><b>${format.count(counted)}</b> pending ${
      format.plural(counted.count, "delivery fails", "deliveries fail")}</p>
      <p>What is pending for ${parts.url(endpoint.url)} becomes dead letters, and so does all that comes later, until it
      is enabled again.
      To keep it waiting instead, pause the endpoint.</p>`,
    action: (counted) => (counted.count === 0 ? "Disable" : `Disable, and fail ${format.count(counted)}`),
    confirm: () => act(`v1/endpoints/${endpoint.id}/disable`, "The endpoint is disabled."),
  });
}

function askPause(endpoint) {
  return dialog.ask({
    title: "Pause this endpoint",
    count: () => countPending(endpoint),
    describe: (counted) => html`<p class="big"><b>${format.count(counted)}</b> ${
      format.plural(counted.count, "delivery waits", "deliveries wait")}</p>
      <p>Nothing is sent to ${parts.url(endpoint.url)} until it is resumed; nothing of it fails meanwhile.</p>`,
    action: () => "Pause",
    confirm: () => act(`v1/endpoints/${endpoint.id}/pause`, "The endpoint is paused."),
  });
}

// From when, in the zone of who is asked: the beginning of the trouble, or a day ago.
function localTime(text) {
  const at = text ? new Date(text) : new Date(Date.now() - 86400000);
  return new Date(at.getTime() - at.getTimezoneOffset() * 60000).toISOString().slice(0, 19);
}

function askRecover(endpoint) {
  const values = { since: localTime(endpoint.failing_since ?? endpoint.disabled_at) };
  const since = () => {
    if (Number.isNaN(Date.parse(values.since))) throw new Error("Say from when.");
    return new Date(values.since).toISOString();
  };
  const count = async () => {
    const which = { status: "failed", endpoint: endpoint.url, customer: endpoint.customer_id, failed_since: since() };
    const counted = await api.get(api.path("v1/deliveries/count", which));
    return { ...counted, since: since() };
  };
  return dialog.ask({
    title: "Recover what has failed", values, count,
    fields: [{ name: "since", label: "Failed from", type: "datetime-local", step: 1, recounts: true,
      hint: "In your time zone." }],
    describe: (counted) => html`<p class="big"><b>${format.count(counted)}</b> dead ${
      format.plural(counted.count, "letter", "letters")}</p>
      <p>All that has failed for ${parts.url(endpoint.url)} from ${parts.time(counted.since)} until now is sent again,
      slowly at first.
      What fails later is not among them.</p>`,
    isNothing: (counted) => counted.count === 0 && !counted.is_at_least,
    action: (counted) => `Replay ${format.count(counted)}`,
    confirm: async (counted) => {
      const made = await api.post("v1/replays", { kind: "recover",
        filter: { endpoint: endpoint.url, customer: endpoint.customer_id, since: counted.since } });
      session.say(`A replay of ${format.count(counted)} was asked for.`);
      go("replays", made.id);
    },
  });
}

async function check(endpoint, name, event) {
  try {
    const made = await api.post(`v1/endpoints/${endpoint.id}/${name}`);
    checked = { endpoint: endpoint.id, id: made.id, name };
    event.target.dispatchEvent(new CustomEvent("redraw", { bubbles: true }));
  } catch (error) {
    session.say(error.message);
  }
}

function controls(endpoint) {
  const button = (label, click) => html`<button @click=${click}>${label}</button>`;
  const run = async (path, words) => {
    try {
      await act(path, words);
    } catch (error) {
      session.say(error.message);
    }
  };
  const base = `v1/endpoints/${endpoint.id}`;
  return session.ifOperator(html`<div class="buttons">
    ${api.has("/v1/endpoints/{id}/test") ? button("Send a test", (event) => check(endpoint, "test", event)) : nothing}
    ${api.has("/v1/endpoints/{id}/doctor") ? button("Examine", (event) => check(endpoint, "doctor", event)) : nothing}
    ${endpoint.paused_at !== null ? button("Resume", () => run(`${base}/resume`, "The endpoint is resumed."))
      : endpoint.disabled_at === null ? button("Pause …", () => askPause(endpoint)) : nothing}
    ${button("Recover …", () => askRecover(endpoint))}
    ${endpoint.disabled_at !== null ? button("Enable", () => run(`${base}/enable`, "The endpoint is enabled."))
      : html`<button class="danger" @click=${() => askDisable(endpoint)}>Disable …</button>`}
  </div>`);
}

// --- what it is ---

function sentence(endpoint) {
  const backlog = endpoint.backlog ? format.count(endpoint.backlog) : "no";
  const waiting = endpoint.backlog?.count === 1 ? "delivery waits" : "deliveries wait";
  if (endpoint.state === "disabled") {
    const reason = endpoint.disabled_reason ? html`: ${parts.text(endpoint.disabled_reason)}` : nothing;
    return html`It was disabled ${parts.age(endpoint.disabled_at)}${reason}. What is for it becomes a dead letter.`;
  }
  if (endpoint.state === "paused")
    return html`It has been paused for ${parts.lasting(endpoint.paused_at)}; ${backlog} ${waiting}.`;
  if (endpoint.state === "failing")
    return html`It has done nothing but fail for ${parts.lasting(endpoint.failing_since)}; ${backlog} ${waiting}.`;
  if (endpoint.oldest_due_at !== null)
    return html`It answers; ${backlog} ${waiting}, the oldest has been due for ${
      parts.lasting(endpoint.oldest_due_at)}.`;
  return html`Nothing is wrong with it; ${backlog} ${waiting}.`;
}

// What the worker of its lane knows of it just now.
function holding(endpoint) {
  const held = heldOf(polling.value("workers"), endpoint);
  if (held === undefined) return nothing;
  const what = held.isOrigin ? "Its origin's" : "Its";
  const leftMs = Math.ceil((held.nextAt - Date.now()) / 1000) * 1000;
  const next = leftMs > 0 ? `in ${format.duration(leftMs)}` : "now";
  if (held.state === "held")
    return html`<p>It has asked to be left alone (Retry-After); the next attempt is ${next}.</p>`;
  if (held.state === "open" || held.state === "probing") {
    const probe = held.state === "probing" ? "is under way" : leftMs > 0 ? `comes ${next}` : "is due";
    return html`<p>${what} breaker is open after ${format.number(held.failures ?? 0)} failures in a row; the next
      probe ${probe}.</p>`;
  }
  return held.reason ? html`<p>A worker holds it back: ${parts.text(held.reason)}</p>` : nothing;
}

// What holds, and where it comes from. A configuration is known from the workers that run, which may differ.
function limit(endpoint, name, show) {
  const standard = activity.defaults(polling.value("workers"), name).map((value) => show(value)).join(" or ");
  if (endpoint[name] !== null)
    return html`${show(endpoint[name])} <span class="quiet">its own${standard === "" ? nothing
      : html`, in place of ${standard}`}</span>`;
  if (standard === "") return html`<span class="quiet">as configured</span>`;
  return html`${standard} <span class="quiet">as configured</span>`;
}

const delayNames = ["retry_schedule_ms", "retry_initial_delay_ms", "retry_multiplier", "retry_max_delay_ms"];

// By the rules of core/retry.h: a schedule of the endpoint's own goes before all, and its own series before a
// schedule of the configuration.
function delaysOf(endpoint, standard) {
  const value = (name) => endpoint[name] ?? standard?.[name] ?? null;
  const isOwnSeries = endpoint.retry_initial_delay_ms !== null || endpoint.retry_multiplier !== null;
  const most = endpoint.retry_max_delay_ms;
  const capped = (ms) => (most === null ? ms : Math.min(ms, most));
  const configured = isOwnSeries ? undefined : standard?.retry_schedule_ms?.map(capped);
  const schedule = endpoint.retry_schedule_ms ?? configured ?? null;
  const last = Math.max(value("retry_max_delay_ms"), most === null ? endpoint.retry_initial_delay_ms ?? 0 : 0);
  if (schedule !== null) return schedule.map(format.duration).join(", ");
  if (delayNames.slice(1).some((name) => value(name) === null)) return null;
  const first = format.duration(value("retry_initial_delay_ms"));
  return `from ${first}, times ${value("retry_multiplier")}, up to ${format.duration(last)}`;
}

function delays(endpoint) {
  const isOwn = delayNames.some((name) => endpoint[name] !== null);
  const given = (polling.value("workers")?.data ?? []).map((worker) => worker.defaults).filter(Boolean);
  const found = [...new Set((given.length === 0 ? [null] : given).map((standard) => delaysOf(endpoint, standard)))];
  const shown = found[0] === null ? nothing : found.join(" or ");
  return html`${shown} <span class="quiet">${isOwn ? "its own" : "as configured"}</span>`;
}

const asRate = (rate) => (rate === 0 ? "no limit" : format.exactNumber(rate));
const asJitter = (part) => (part === 0 ? "none" : `up to ${format.percent(part, 1)} less, at random`);

function justNow(endpoint) {
  const now = activity.busy(polling.value("workers"), endpoint);
  if (now === undefined) return nothing;
  const slots = `${format.number(now.slots)} ${format.plural(now.slots, "slot", "slots")}`;
  const limited = now.limited ? html`; ${activity.limits[now.limited] ?? "limited"}` : nothing;
  return html`${format.number(now.in_flight)} in flight, of ${slots}${limited}`;
}

function limits(endpoint) {
  return parts.facts([
    ["Requests at a time", limit(endpoint, "max_in_flight", format.number)],
    ["Requests a second", limit(endpoint, "rate_limit", asRate)],
    ["Just now", justNow(endpoint)],
    ["Timeout", limit(endpoint, "timeout_ms", format.duration)],
    ["Attempts", limit(endpoint, "retry_max_attempts", format.number)],
    ["Delays", delays(endpoint)],
    ["Jitter", limit(endpoint, "retry_jitter", asJitter)],
  ]);
}

// What an absent minute means.
function partly(history) {
  if (history.covers === "all") return nothing;
  return html`<p class="quiet">Minutes are kept apart for endpoints with trouble, and for the busiest. Where nothing
    stands, deliveries to this endpoint went without any, and may have been many.</p>`;
}

function latency(history, range) {
  const steps = past.steps(history, charts.ranges[range].step);
  const whole = past.sum(steps);
  const at = (part) => past.percentile(whole.duration, history.buckets_ms, part);
  const line = (part, colour, label, dash) => ({ name: label, colour, dash,
    values: steps.map((step) => past.percentile(step.duration, history.buckets_ms, part)) });
  const { words } = charts.ranges[range];
  return charts.chart({
    title: "How long it takes to answer", at: steps.map((step) => step.at), unit: charts.inTime,
    summary: at(0.5) === null ? `Nothing is kept of the ${words}.`
      : `In the ${words} half of the attempts took up to ${charts.inTime(at(0.5))}, 95 of 100 up to ${
        charts.inTime(at(0.95))}.`,
    lines: [line(0.5, "accent", "p50"), line(0.95, "warn", "p95", [6, 4])],
  });
}

function statuses(history, range) {
  const steps = past.steps(history, charts.ranges[range].step);
  const whole = past.sum(steps).statuses;
  const all = Object.values(whole).reduce((sum, amount) => sum + amount, 0);
  const bad = all - whole["2xx"];
  const share = (100 * bad / all).toFixed(bad * 10 < all ? 1 : 0);
  const names = [["2xx", "good"], ["3xx", "quiet", [2, 3]], ["4xx", "warn", [6, 4]], ["5xx", "bad", [6, 2, 2, 2]],
    ["none", "accent", [2, 2]]];
  const { words } = charts.ranges[range];
  return charts.chart({
    title: "Answers a minute", at: steps.map((step) => step.at), unit: charts.perMinute,
    summary: all === 0 ? `No attempt is kept of the ${words}.`
      : `${format.number(all)} attempts in the ${words}: ${share} % without a 2xx, ${
        format.number(whole.none)} without any answer.`,
    lines: names.map(([name, colour, dash]) => ({ name: name === "none" ? "no answer" : name, colour, dash,
      values: steps.map((step) => step.statuses[name] / step.minutes) })),
  });
}

function checkSection(route) {
  if (checked?.endpoint !== route.id) return nothing;
  const heading = checked.name === "test" ? "What the test says" : "What was found";
  return html`<section aria-live="polite"><h2>${heading}</h2>${parts.loaded("check", verdicts)}</section>`;
}

function customerOf(endpoint) {
  if (session.isCustomer()) return parts.wholeId(endpoint.customer_id);
  const all = to("endpoints", "", { customer: endpoint.customer_id });
  return html`<a class="id" href=${all}>${endpoint.customer_id}</a>`;
}

function facts(endpoint) {
  const noted = endpoint.is_noted ? html` <span class="quiet">by a worker, since its requests fail</span>` : nothing;
  return parts.facts([
    ["Id", parts.wholeId(endpoint.id)],
    ["Customer", customerOf(endpoint)],
    ["Subscribed to", subscriptions(endpoint.event_types)],
    ["Filter", endpoint.filter === null ? nothing : html`<code>${parts.text(JSON.stringify(endpoint.filter))}</code>`],
    ["After a dead letter", endpoint.ordering === "block" ? "its ordering key waits"
      : "the next of its ordering key goes on"],
    ["Made", html`${parts.timeAndAge(endpoint.created_at)}${noted}`],
  ]);
}

function deadLetters(route) {
  const pending = { status: "pending", endpoint: route.id, within: session.isCustomer() ? "7d" : "" };
  return html`<section><div class="heading"><h2>Dead letters</h2>
      <a href=${to("deliveries", "", { status: "failed", endpoint: route.id })}>All of them</a>
      <a href=${to("deliveries", "", pending)}>What is pending</a></div>
    ${parts.loaded("dead", (page) => parts.table({
      caption: "Newest dead letters of this endpoint", rows: page.data, key: (row) => row.id,
      empty: "It has no dead letters.", columns: columns({ isCustomer: true, hasEndpoint: false, status: "failed" }),
    }))}</section>`;
}

export function view(route) {
  return parts.loaded("endpoint", (endpoint) => html`
    <div class="heading"><h1 tabindex="-1">${parts.url(endpoint.url, true)}</h1></div>
    <div class="sentence ${endpoint.state}"><p>${parts.badge(endpoint.state)} <span class="said">${
      sentence(endpoint)}</span></p>${holding(endpoint)}</div>
    ${controls(endpoint)}
    ${checkSection(route)}
    <div class="columns">
      <section><h2>What it is</h2>${facts(endpoint)}</section>
      <section><h2>Limits</h2>${limits(endpoint)}</section>
    </div>
    ${historySection(route, (range) => to("endpoints", route.id, { range }), (history, range) => html`${
      partly(history)}${latency(history, range)}${statuses(history, range)}`)}
    ${deadLetters(route)}`);
}
