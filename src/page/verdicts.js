// SPDX-License-Identifier: MIT
// What a test or a doctor of an endpoint has found: a row of replays with a result.

import * as format from "./format.js";
import { html, nothing } from "./lit.js";
import * as parts from "./parts.js";

function badge(one) {
  if (!one.ok) return parts.badge("error", "wrong");
  return one.fix ? parts.badge("paused", "warning") : parts.badge("well", "well");
}

export function summary(list) {
  const wrong = list.filter((one) => !one.ok).length;
  const warnings = list.filter((one) => one.ok && one.fix).length;
  const warned = warnings === 0 ? "" : ` ${format.number(warnings)} ${format.plural(warnings, "warning", "warnings")}.`;
  if (wrong === 0) return `Nothing is wrong.${warned}`;
  const are = format.plural(wrong, "is", "are");
  return `${format.number(wrong)} of ${format.number(list.length)} ${are} wrong.${warned}`;
}

const names = { dns: "DNS", tls: "TLS", url: "URL" };
const sentence = (words) => words.slice(0, 1).toUpperCase() + words.slice(1);
const moment = /(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z)/;

// With its times as all others are shown.
function said(words) {
  return sentence(words).split(moment).map((part, i) => (i % 2 === 1 ? parts.time(part) : part && parts.text(part)));
}

// A command stands at the end of what it is for, and is there to be copied.
function fix(words) {
  const at = words.search(/(^|(?<=: ))(postrider|getent) /);
  const said = at < 0 ? sentence(words) : sentence(words.slice(0, at));
  return html`<p class="fix"><span class="unseen">What to do: </span>${said === "" ? nothing : parts.text(said)}${
    at < 0 ? nothing : html`<code>${parts.text(words.slice(at))}</code>`}</p>`;
}

function verdict(one) {
  return html`<li class=${one.ok ? "" : "wrong"}>${badge(one)}
    <b>${parts.text(names[one.check] ?? sentence(one.check))}</b>
    <div>${said(one.says)}${one.fix ? fix(one.fix) : nothing}</div></li>`;
}

export const isCheck = (replay) => replay.kind === "test" || replay.kind === "doctor";

export function verdicts(replay) {
  if (replay.error) return html`<p class="warning">${parts.text(replay.error)}</p>`;
  if (replay.stopped_at !== null) return html`<p class="warning">It was stopped.</p>`;
  const list = replay.result?.verdicts;
  if (!list) return html`<p class="empty loading">${replay.started_at === null
    ? "It waits for the worker that owns the endpoint’s lane …" : "A worker is at work on it …"}</p>`;
  return html`<p>${summary(list)}</p><ul class="checks">${list.map(verdict)}</ul>
    ${replay.result.body ? html`<h3>The answer begins</h3>
      <pre class="body" tabindex="0"><bdi>${format.plain(replay.result.body)}</bdi></pre>` : nothing}`;
}
