// SPDX-License-Identifier: MIT
// A payload as JSON, a part of it where it is long. What can't be seen in it is written as JSON escapes it.

import * as format from "./format.js";
import { html, nothing } from "./lit.js";
import * as session from "./session.js";

const FIRST = 20000; // letters

// Of one thing: it is written out once, not at each drawing.
let kept = { value: undefined, text: "" };
let openId = null;

function textOf(value) {
  if (kept.value !== value) kept = { value, text: JSON.stringify(value, null, 2) };
  return kept.text;
}

async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
    session.say("The payload was copied.");
  } catch {
    session.say("The browser does not let this page copy.");
  }
}

function open(id, button) {
  openId = id;
  button.dispatchEvent(new CustomEvent("redraw", { bubbles: true }));
}

export function payload(value, bytes, isLeftOut, isErased, id) {
  if (isErased) return html`<p class="empty">It was erased.</p>`;
  if (isLeftOut) return html`<p class="empty">It has ${format.bytes(bytes)}, and more than 1 MiB is not shown.</p>`;
  if (bytes === null) return html`<p class="empty">Its event is not there.</p>`;
  const text = textOf(value);
  const isWhole = text.length <= FIRST || openId === id;
  return html`<div class="heading"><span class="quiet">${format.bytes(bytes)}</span>
      <button class="small" @click=${() => copy(text)}>Copy</button></div>
    <pre class="payload" tabindex="0" role="region" aria-label="Payload"><bdi>${
      format.plain(isWhole ? text : text.slice(0, FIRST))}</bdi></pre>
    ${isWhole ? nothing : html`<p><button @click=${(event) => open(id, event.target)}>Show
      all of it</button> <span class="quiet">This is the beginning.</span></p>`}`;
}
