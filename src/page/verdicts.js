// SPDX-License-Identifier: MIT
// What a test or a doctor of an endpoint has found: a row of replays with a result.

import * as format from "./format.js";
import { html, nothing } from "./lit.js";
import * as parts from "./parts.js";

function badge(one) {
  if (!one.ok) return parts.badge("error", "wrong");
  return one.fix ? parts.badge("paused", "warning") : parts.badge("well", "well");
}

function summary(list) {
  const wrong = list.filter((one) => !one.ok).length;
  const warnings = list.filter((one) => one.ok && one.fix).length;
  const warned = warnings === 0 ? "" : ` ${format.number(warnings)} ${format.plural(warnings, "warning", "warnings")}.`;
  return wrong === 0 ? `Nothing is wrong.${warned}` : `${format.number(wrong)} of ${format.number(list.length)} ${format.plural(wrong, "is", "are")} wrong.${warned}`;
}

export const isCheck = (replay) => replay.kind === "test" || replay.kind === "doctor";

export function verdicts(replay) {
  if (replay.error) return html`<p class="warning">${parts.text(replay.error)}</p>`;
  if (replay.stopped_at !== null) return html`<p class="warning">It was stopped.</p>`;
  const list = replay.result?.verdicts;
  if (!list) return html`<p class="quiet loading">${replay.started_at === null ? "It waits for the worker that owns the endpoint’s lane …" : "A worker is at work on it …"}</p>`;
  return html`<p>${summary(list)}</p><ul class="checks">${list.map((one) => html`<li>${badge(one)}
    <b>${parts.text(one.check)}</b> <span>${parts.text(one.says)}</span>
    ${one.fix ? html`<p class="fix"><span class="unseen">What to do: </span>${parts.text(one.fix)}</p>` : nothing}</li>`)}</ul>
    ${replay.result.body ? html`<h3>The answer begins</h3><pre class="body">${parts.text(replay.result.body)}</pre>` : nothing}`;
}
