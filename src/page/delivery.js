// SPDX-License-Identifier: MIT
// What happened to one delivery?

import { has, post } from "./api.js";
import * as dialog from "./dialog.js";
import * as format from "./format.js";
import { html, nothing } from "./lit.js";
import * as parts from "./parts.js";
import { payload } from "./payload.js";
import { go, to } from "./route.js";
import * as session from "./session.js";

export const title = "Delivery";

const DISCARD = "/v1/deliveries/{id}/discard";

export function resources(route, changed) {
  has(DISCARD, changed); // what is offered depends on it
  return { delivery: { path: `v1/deliveries/${encodeURIComponent(route.id)}`, isExact: true } };
}

function askReplay(delivery) {
  return dialog.ask({
    title: "Send this dead letter again",
    describe: () => html`<p>It goes to ${parts.url(delivery.url)} again, with the same event id, as if it were new: with
      all its attempts before it. The receiver may have seen it already.</p>`,
    action: () => "Replay 1",
    confirm: async () => {
      const made = await post(`v1/deliveries/${delivery.id}/replay`);
      session.say("A replay of this delivery was asked for.");
      go("replays", made.id);
    },
  });
}

function askDiscard(delivery) {
  return dialog.ask({
    title: "Discard this dead letter",
    describe: () => html`<p>It goes to ${parts.url(delivery.url)} no more: it is <b>deleted for good</b>, with its
      payload, attempts and answers. ${delivery.endpoint_id ? "The event that it was made for stays"
        : "It is a plain row, so nothing of its payload stays"}; the ledger keeps who discarded it.</p>`,
    action: () => "Discard 1",
    confirm: async () => {
      const made = await post(`v1/deliveries/${delivery.id}/discard`);
      session.say("A discard of this delivery was asked for.");
      go("replays", made.id);
    },
  });
}

function actions(delivery) {
  if (delivery.status !== "failed") return nothing;
  const mayDiscard = !session.isCustomer() && has(DISCARD);
  return session.ifOperator(html`<div class="buttons">
    ${delivery.erased_at !== null ? html`<p class="quiet small">It was erased, so there is nothing to send again.</p>`
      : html`<button @click=${() => askReplay(delivery)}>Replay …</button>`}
    ${mayDiscard ? html`<button class="danger" @click=${() => askDiscard(delivery)}>Discard …</button>`
      : nothing}</div>`);
}

function explanation(delivery) {
  const { summary, next, warnings } = delivery.explanation;
  return html`<div class="sentence ${delivery.status}">
    <p>${parts.badge(delivery.status)} <span class="said">${parts.text(summary)}</span></p>
    ${next ? html`<p class="quiet">${parts.text(next)}</p>` : nothing}
    ${warnings.map((warning) => html`<p class="warning">${parts.text(warning)}</p>`)}
  </div>`;
}

const phaseNames = [["dns_ms", "address"], ["connect_ms", "connection"], ["tls_ms", "TLS"], ["wait_ms", "answer"]];

const milliseconds = (ms) => (ms < 10 ? `${ms.toFixed(1)} ms` : format.duration(ms));

// Of the whole, each part as long as it took. A connection that was kept has but the last one.
function phases({ phases: took, duration_ms: whole }) {
  if (took === null) return html`<p class="quiet small">How long its parts took is not recorded.</p>`;
  const found = phaseNames.filter(([name]) => took[name] !== null).map(([name, label]) => ({ label, ms: took[name] }));
  const rest = whole - found.reduce((sum, { ms }) => sum + ms, 0);
  if (rest >= 1) found.push({ label: "the rest of it", ms: rest });
  const isKept = took.connect_ms === null && took.wait_ms !== null && took.dns_ms === null;
  return html`<p class="phases quiet small">${isKept ? "On a connection that was kept: " : nothing}${
    found.map(({ label, ms }, i) => html`${i > 0 ? ", " : nothing}<span class="together">${label} <b>${
      milliseconds(ms)}</b></span>`)}</p>`;
}

// As docs/receiving.md has them, of what is known here.
function headersOf(one, delivery) {
  const lines = [["Content-Type", "application/json"], ["User-Agent", "Postrider/…"],
    ["webhook-id", delivery.event_id], ["X-Event-ID", delivery.event_id],
    ["webhook-timestamp", Math.floor(Date.parse(one.started_at) / 1000)], ["webhook-signature", "(redacted)"],
    ["X-Delivery-Attempt", one.attempt]];
  const { ordering_key: key } = delivery;
  if (key) lines.push(["X-Ordering-Key", key.replace(/[^\x21-\x7e]|%/gu, encodeURIComponent)]);
  return lines;
}

function request(one, delivery) {
  const headers = headersOf(one, delivery).map(([name, value]) => `\n${name}: ${format.plain(value)}`);
  const ofEvent = delivery.endpoint_id ? ", and what the event has (X-Correlation-ID, X-Causation-ID, traceparent)"
    : nothing;
  return html`<details><summary>What was sent</summary>
    <pre tabindex="0" class="body"><bdi>POST ${format.plain(one.url)}${headers}</bdi></pre>
    <p class="quiet small">Rebuilt from the log. Not shown here: headers of the configuration and of the endpoint, which
      may hold credentials${ofEvent}. The body is the payload below.</p></details>`;
}

function answer(body) {
  return html`<details><summary>What was answered (${format.bytes(new Blob([body]).size)})</summary>
    <pre tabindex="0" class="body"><bdi>${format.plain(body)}</bdi></pre></details>`;
}

// Its URL is the one that was hit; the delivery may have followed its endpoint since.
function attempt(one, delivery) {
  const { url } = delivery;
  const outcome = one.error ? html`<span class="error">${parts.text(one.error)}</span>`
    : html`<span class="quiet">answered</span>`;
  return html`<li><div class="attempt"><b>${one.attempt}</b>
      <span>${parts.time(one.started_at)} <span class="quiet">${parts.age(one.started_at)}</span></span>
      <span>${parts.statusCode(one.status_code)} ${outcome}</span>
      <span class="quiet">took ${one.duration_ms === 0 ? "less than 1 ms" : format.duration(one.duration_ms)}</span>
      ${one.url === url ? nothing : html`<span class="quiet">sent to ${parts.url(one.url)}</span>`}</div>
    ${phases(one)}
    ${request(one, delivery)}
    ${one.response_body ? answer(one.response_body) : nothing}</li>`;
}

function noneLogged(delivery) {
  const { attempts: made, status_code: code } = delivery;
  const answered = code ? html`, and was answered with ${parts.statusCode(code)}` : nothing;
  return html`<p class="empty">${format.number(made)} ${format.plural(made, "attempt was", "attempts were")} made, and
    none is logged (<code>attempt_log</code>). The last one was ${parts.timeAndAge(delivery.last_attempt_at)}${
    answered}.</p>`;
}

function attempts(delivery) {
  const log = delivery.attempt_log;
  const left = delivery.attempts - new Set(log.map((one) => one.attempt)).size;
  if (delivery.attempts === 0 && log.length === 0) return html`<p class="empty">No attempt was made yet.</p>`;
  if (log.length === 0) return noneLogged(delivery);
  return html`<ol class="attempts" aria-label="Attempts, the newest first">${
    log.map((one) => attempt(one, delivery))}</ol>
    ${left > 0 ? html`<p class="quiet">${format.number(left)} more ${format.plural(left, "is", "are")} not in the log:
      successes are logged only with <code>attempt_log: all</code>.</p>` : nothing}`;
}

export function view(route) {
  return parts.loaded("delivery", (delivery) => html`
    <div class="heading"><h1 tabindex="-1">Delivery ${parts.wholeId(delivery.id)}</h1>${actions(delivery)}</div>
    ${explanation(delivery)}
    <div class="columns">
      <section><h2>Attempts</h2>${attempts(delivery)}</section>
      <section><h2>What it is</h2>${parts.facts([
        ["URL", parts.url(delivery.url, true)],
        ["Endpoint", delivery.endpoint_id ? parts.idLink("endpoints", delivery.endpoint_id)
          : html`<span class="quiet">a plain row</span>`],
        ["Event", delivery.endpoint_id ? html`<a class="id" href=${to("events", delivery.event_id)}>${
          delivery.event_id}</a>` : parts.wholeId(delivery.event_id)],
        ["Event type", parts.text(delivery.event_type)],
        ["Customer", parts.wholeId(delivery.customer_id)],
        ["Ordering key", delivery.ordering_key ? parts.text(delivery.ordering_key) : nothing],
        ["Inserted", parts.timeAndAge(delivery.created_at)],
        ["Last attempt", parts.timeAndAge(delivery.last_attempt_at)],
        ["Next attempt", delivery.status === "pending" ? parts.timeAndAge(delivery.next_attempt_at) : nothing],
        ["Failed", delivery.failed_at ? parts.timeAndAge(delivery.failed_at) : nothing],
        ["Erased", delivery.erased_at ? parts.timeAndAge(delivery.erased_at) : nothing],
      ])}</section>
    </div>
    <section><h2>Payload</h2>${payload(delivery.payload, delivery.payload_bytes, delivery.is_payload_left_out,
      delivery.erased_at !== null, delivery.id)}</section>`);
}
