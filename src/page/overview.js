// SPDX-License-Identifier: MIT
// Is something wrong now, and whose fault is it?

import * as alerts from "./alerts.js";
import * as api from "./api.js";
import * as charts from "./charts.js";
import * as format from "./format.js";
import * as held from "./held.js";
import { html, nothing } from "./lit.js";
import * as parts from "./parts.js";
import * as polling from "./polling.js";
import * as past from "./history.js";
import { to } from "./route.js";

const LATE_MS = 30000; // what is due longer than this is overdue

export const title = "Overview";

export function resources(route) {
  return {
    overview: { path: "v1/overview" },
    workers: { path: "v1/workers" },
    failing: { path: "v1/endpoints?state=failing&limit=10", everyMs: 5000 },
    history: { path: api.path("v1/history", charts.span(charts.rangeOf(route.query))), everyMs: 15000, keeps: "all" },
  };
}

const { number, plural } = format;

function sentence(kind, words, href, link) {
  return { kind, words, href, link };
}

// What is ours to mend.
function ours(overview, workers) {
  const { unowned_lanes: unowned } = overview;
  const { count, late } = overview.workers;
  const found = alerts.sentences(overview.alerts, "ours", "bad");
  const say = (words) => found.push(sentence("bad", words, to("workers"), "Workers"));
  if (count === 0) found.push(sentence("bad", "No worker runs, so nothing is delivered."));
  else if (unowned > 0)
    say(`${unowned} of 64 lanes ${plural(unowned, "has", "have")} no worker: what is due in them waits.`);
  if (late > 0) say(`${late} ${plural(late, "worker has", "workers have")} not been heard of in time.`);
  for (const worker of workers?.data ?? [])
    for (const problem of worker.problems.filter((one) => !held.isReceivers(one)))
      say(html`The worker at ${parts.text(worker.host)} says: ${parts.text(held.textOf(problem))}.`);
  if (count > 0 && isOverdue(overview) && troubled(overview) === 0)
    found.push(sentence("bad", html`Deliveries are overdue: the oldest has been due for ${
      parts.lasting(overview.oldest_due_at)}, and no endpoint is in trouble.`, whatIsDue(), "What is due"));
  return found;
}

const whatIsDue = () => to("deliveries", "", { status: "pending" });
const endpointsThatAre = (state) => to("endpoints", "", { state });

function isOverdue(overview) {
  return overview.oldest_due_at !== null && Date.now() - Date.parse(overview.oldest_due_at) > LATE_MS;
}

function troubled(overview) {
  return overview.endpoints.failing + overview.endpoints.disabled + overview.endpoints.paused;
}

// What receivers do.
function theirs(overview, workers) {
  const { failing, disabled } = overview.endpoints;
  const found = alerts.sentences(overview.alerts, "receiver", "warn");
  const say = (words, href, link) => found.push(sentence("warn", words, href, link));
  if (failing > 0)
    say(`${number(failing)} ${plural(failing, "endpoint does", "endpoints do")} nothing but fail: ${
      plural(failing, "its receiver answers", "their receivers answer")} with errors, or not at all.`,
    endpointsThatAre("failing"), "Failing endpoints");
  // Workers see it sooner than the table does, which says "failing" after some minutes.
  if (failing === 0)
    for (const worker of workers?.data ?? [])
      for (const problem of worker.problems.filter(held.isReceivers))
        say(html`${parts.text(problem.what)}.`, to("endpoints"), "Endpoints");
  if (disabled > 0)
    say(`${number(disabled)} ${plural(disabled, "endpoint is", "endpoints are")} disabled: what is for ${
      plural(disabled, "it", "them")} becomes a dead letter.`, endpointsThatAre("disabled"), "Disabled endpoints");
  if (isOverdue(overview) && troubled(overview) > 0 && overview.workers.count > 0)
    say(html`The oldest delivery has been due for ${
      parts.lasting(overview.oldest_due_at)}; with endpoints in trouble that is likely theirs.`,
    whatIsDue(), "What is due");
  return found;
}

// What somebody has to decide, or has decided.
function notes(overview) {
  const { dead_letters: dead, open_replays: replays } = overview;
  const { paused } = overview.endpoints;
  const found = [];
  const say = (words, href, link) => found.push(sentence("note", words, href, link));
  if (dead.count > 0)
    say(`${upper(format.count(dead))} dead ${
      plural(dead.count, "letter waits", "letters wait")} for somebody to decide.`,
    to("deliveries", "", { status: "failed" }), "Dead letters");
  if (paused > 0)
    say(`${number(paused)} ${plural(paused, "endpoint is", "endpoints are")} paused: ${
      plural(paused, "its deliveries wait until it is", "their deliveries wait until they are")} resumed.`,
    endpointsThatAre("paused"), "Paused endpoints");
  if (replays > 0)
    say(`${number(replays)} ${plural(replays, "replay has", "replays have")} not finished.`, to("replays"), "Replays");
  return found;
}

const upper = (words) => words[0].toUpperCase() + words.slice(1);

function block(name, kind, found) {
  if (found.length === 0) return nothing;
  return html`<div class="verdict ${kind}"><h2>${name}</h2><ul>${found.map((one) => html`
    <li>${one.words} ${one.href ? html`<a href=${one.href}>${one.link}</a>` : nothing}${
      one.after ?? nothing}</li>`)}</ul></div>`;
}

function verdict(overview, workers) {
  const own = ours(overview, workers);
  const others = theirs(overview, workers);
  return html`<section class="verdicts" aria-label="What is wrong">
    ${own.length === 0 ? html`<div class="verdict good"><h2>${
      others.length === 0 ? "All is well." : "Nothing is wrong on our side."}</h2>
      <p>Every lane has a worker, and ${isOverdue(overview) ? "workers send." : "nothing is overdue."}</p></div>`
      : block("Ours to mend", "bad", own)}
    ${block("On the side of receivers", "warn", others)}
    ${block("To be decided", "note", notes(overview))}
  </section>`;
}

function delays() {
  const history = polling.value("history");
  if (history === undefined) return null;
  const last = past.sum(past.steps(history, 1).slice(-15));
  const at = (part) => past.percentile(last.delay, history.buckets_ms, part);
  return { p50: at(0.5), p99: at(0.99) };
}

function delayTile(delay) {
  if (delay === null) return nothing;
  return parts.tile("first attempt after", delay.p50 === null ? "–" : charts.inTime(delay.p50),
    { note: delay.p99 === null ? "nothing in 15 min" : `p99 ${charts.inTime(delay.p99)}, last 15 min` });
}

function tiles(overview) {
  const oldest = overview.oldest_due_at;
  const { endpoints, workers } = overview;
  const { tile } = parts;
  return html`<section class="tiles" aria-label="In numbers">
    ${tile("due now", format.shortCount(overview.due), {
      note: oldest ? html`oldest ${parts.age(oldest)}` : "nothing waits",
      kind: isOverdue(overview) ? "warn" : "", href: whatIsDue(),
    })}
    ${tile("in flight", number(workers.in_flight), { note: `${format.rate(workers.rate)} a second` })}
    ${tile("to be tried again", format.shortCount(overview.retrying),
      { note: `of ${format.shortCount(overview.waiting)} due later` })}
    ${tile("dead letters", format.shortCount(overview.dead_letters),
      { href: to("deliveries", "", { status: "failed" }) })}
    ${delayTile(delays())}
    ${tile("endpoints in trouble", number(endpoints.failing + endpoints.disabled),
      { note: `of ${format.shortCount(endpoints)}`, href: endpointsThatAre("failing") })}
  </section>`;
}

function failingTable(page) {
  if (page.data.length === 0) return nothing;
  return html`<section><h2>Who fails</h2>${parts.table({
    caption: "Endpoints that do nothing but fail", rows: page.data, key: (row) => row.id, empty: "",
    columns: [
      { title: "Endpoint", width: "wide",
        cell: (row) => html`<a href=${to("endpoints", row.id)}>${parts.url(row.url)}</a>` },
      { title: "Customer", cell: (row) => parts.id(row.customer_id) },
      { title: "Fails for", cell: (row) => parts.lasting(row.failing_since) },
      { title: "Waiting", isNumber: true,
        cell: (row) => (row.backlog ? format.shortCount(row.backlog) : parts.none()) },
    ],
  })}</section>`;
}

function outcomes(history, range) {
  const steps = past.steps(history, charts.ranges[range].step);
  const whole = past.sum(steps);
  const line = (name, colour, label, dash) => ({ name: label, colour, dash,
    values: steps.map((step) => step[name] / step.minutes) });
  return charts.chart({
    title: "Deliveries a minute", at: steps.map((step) => step.at), unit: charts.perMinute,
    summary: `In the ${charts.ranges[range].words} ${number(whole.delivered)} were delivered, ${
      number(whole.retried)} attempts failed and are made again, ${number(whole.failed)} became dead letters.`,
    lines: [line("delivered", "good", "delivered"), line("retried", "warn", "to be tried again", [6, 4]),
      line("failed", "bad", "dead", [2, 3])],
  });
}

function firstAttempts(history, range) {
  const steps = past.steps(history, charts.ranges[range].step);
  const whole = past.sum(steps);
  const at = (part) => past.percentile(whole.delay, history.buckets_ms, part);
  const line = (part, colour, label, dash) => ({ name: label, colour, dash,
    values: steps.map((step) => past.percentile(step.delay, history.buckets_ms, part)) });
  const { words } = charts.ranges[range];
  return charts.chart({
    title: "From due to first attempt", at: steps.map((step) => step.at), unit: charts.inTime,
    summary: at(0.5) === null ? `Nothing was sent for the first time in the ${words}.`
      : `In the ${words} half of the first attempts began within ${charts.inTime(at(0.5))}, 99 of 100 within ${
        charts.inTime(at(0.99))}.`,
    lines: [line(0.5, "accent", "p50"), line(0.99, "warn", "p99", [6, 4])],
  });
}

export function historySection(route, address, figures) {
  const range = charts.rangeOf(route.query);
  return html`<section><div class="heading"><h2>Over time</h2>${charts.rangeLinks(range, address)}</div>
    ${parts.loaded("history", (history) => html`<div class="charts">${
      figures(history, charts.rangeOfHistory(history))}</div>`)}</section>`;
}

export function view(route) {
  return html`<h1 tabindex="-1">Overview</h1>
    ${parts.loaded("overview", (overview) => html`
      ${verdict(overview, polling.value("workers"))}
      ${tiles(overview)}`)}
    ${polling.value("failing") ? failingTable(polling.value("failing")) : nothing}
    ${historySection(route, (range) => to("", "", { range }), (history, range) => html`
      ${outcomes(history, range)}${firstAttempts(history, range)}`)}`;
}
