// SPDX-License-Identifier: MIT
// Who asks, and what that lets the page offer. The server decides in any case; this only spares a refusal.

import { get } from "./api.js";
import { html, nothing } from "./lit.js";

let who = null; // GET /v1/token

// isStill: whether the token is still the one that this was asked for.
export async function load(isStill) {
  const found = await get("v1/token");
  if (isStill()) who = found;
}

export function clear() {
  who = null;
}

export function current() {
  return who;
}

export function can(scope) {
  return who !== null && who.scopes.includes(scope);
}

export function isCustomer() {
  return who !== null && who.customer_id !== null;
}

// A control for who may use it, and for others which scope they lack.
export function ifOperator(control) {
  if (can("operate")) return control;
  return html`<p class="quiet small">This token can't change anything: it lacks the scope <code>operate</code>.</p>`;
}

export function forOperatorAlone(control) {
  return isCustomer() ? nothing : control;
}

const listeners = [];
export function onSaid(listener) {
  listeners.push(listener);
}
// A line for who has just done something: also read out.
export function say(words) {
  for (const listener of listeners) listener(words);
}
