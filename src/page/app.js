// SPDX-License-Identifier: MIT
// The frame around the screens: who asks, where one is, and how fresh it is.

import * as api from "./api.js";
import * as delivery from "./delivery.js";
import * as deliveries from "./deliveries.js";
import * as endpoint from "./endpoint.js";
import * as endpoints from "./endpoints.js";
import * as event from "./event.js";
import * as format from "./format.js";
import { html, nothing, render } from "./lit.js";
import * as overview from "./overview.js";
import * as parts from "./parts.js";
import * as polling from "./polling.js";
import * as replays from "./replays.js";
import { current, go, takeToken, to } from "./route.js";
import * as session from "./session.js";
import * as workers from "./workers.js";

// "": the list, id: one of them. A customer's token gets three screens.
const screens = {
  "": { list: overview }, endpoints: { list: endpoints, one: endpoint, isCustomersOne: true },
  deliveries: { list: deliveries, one: delivery, isCustomersOne: true, isCustomers: true },
  events: { one: event }, replays: { list: replays, one: replays }, workers: { list: workers },
};

const menu = [["", "Overview"], ["endpoints", "Endpoints"], ["deliveries", "Deliveries"], ["replays", "Replays"],
  ["workers", "Workers"]];

let route = current();
let phase = "asking"; // for who asks; "token": a token is needed, "away", "ready"
let why = ""; // what is said above the form for a token
let said = "";
let nextAskAt = 0;

// --- where one is ---

function screen() {
  const found = screens[route.screen];
  const view = found && (route.id === "" ? found.list : found.one);
  if (!view) return null;
  if (session.isCustomer() && !(route.id === "" ? found.isCustomers : found.isCustomersOne)) return null;
  return view;
}

function onRoute() {
  const given = takeToken();
  if (given !== null) {
    api.setToken(given);
    begin();
  }
  route = current();
  if (session.isCustomer() && route.screen === "") {
    location.replace(to("deliveries"));
    return;
  }
  said = "";
  watch();
  draw();
  scrollTo(0, 0);
  document.querySelector("h1")?.focus({ preventScroll: true });
}

function watch() {
  const view = phase === "ready" ? screen() : null;
  polling.watch(view ? view.resources(route, onChange) : {});
}

// --- who asks ---

async function begin() {
  const asker = api.token();
  const isStill = () => asker === api.token(); // it is not once another was given meanwhile
  session.clear();
  polling.forget();
  phase = "asking";
  draw();
  try {
    await session.load(isStill);
    if (!isStill()) return;
    const { name, scopes } = session.current();
    const may = session.can("read");
    phase = may ? "ready" : "token";
    why = may ? "" : `The token “${name}” lacks the scope read: it may only ${scopes.join(", ")}.`;
  } catch (problem) {
    if (!isStill()) return;
    refused(problem);
  }
  if (phase === "ready" && session.isCustomer() && route.screen === "") location.replace(to("deliveries"));
  watch();
  draw();
}

function refused(problem) {
  if (problem.status === 401) {
    phase = "token";
    why = api.token() === null ? "" : "This token is not valid: it is mistyped, was revoked, or has expired.";
    api.setToken(null);
  } else {
    phase = "away";
    why = problem.message;
    nextAskAt = Date.now() + polling.EVERY_MS;
  }
}

function submitToken(event) {
  event.preventDefault();
  const text = new FormData(event.target).get("token").trim();
  if (text === "") return;
  if (!/^[\x21-\x7e]+$/.test(text)) {
    why = "This is no token: it has letters that none has.";
    draw();
    return;
  }
  event.target.reset();
  api.setToken(text);
  begin();
}

function leave() {
  api.setToken(null);
  why = "";
  begin();
}

// --- what changes by itself ---

function onChange(problem) {
  if (problem?.status === 401 && problem.asker === api.token()) {
    session.clear();
    polling.forget();
    refused(problem);
  }
  watch();
  draw();
}

setInterval(() => {
  if (document.hidden) return;
  if (phase === "away" && Date.now() >= nextAskAt) begin();
  watch();
  draw();
}, 1000);

// --- the frame ---

function find(event) {
  event.preventDefault();
  const text = new FormData(event.target).get("find").trim();
  if (text === "") return;
  if (format.isUuid(text)) findId(text.toLowerCase());
  else go("deliveries", "", { status: "all", q: text, within: "24h" });
}

// An id says not what it is of.
async function findId(id) {
  const names = session.isCustomer() ? ["deliveries", "endpoints"] : ["deliveries", "events", "endpoints", "replays"];
  for (const name of names) {
    try {
      await api.get(`v1/${name}/${id}`);
      go(name, id);
      return;
    } catch (problem) {
      if (problem.status !== 404) {
        session.say(problem.message);
        return;
      }
    }
  }
  session.say("Nothing has this id: no delivery, event, endpoint or replay.");
}

function freshness() {
  const { away, isPaused, asOf, retryAt } = polling.state;
  if (away) {
    const seconds = Math.max(0, Math.ceil((retryAt - Date.now()) / 1000));
    return html`<div class="note bad"><b role="status">No news: ${away.message}.</b>
      <span>${asOf ? html`What you see is as of ${format.clock(asOf)}, ${format.age(asOf)}.` : nothing}
      ${isPaused ? "The page is paused." : seconds > 0 ? `Next try in ${seconds} s.` : "Trying …"}</span>
      <button class="small" @click=${polling.refresh}>Try now</button></div>`;
  }
  if (!isPaused) return nothing;
  return html`<div class="note"><span>Paused: this is as of ${
    asOf ? html`${format.clock(asOf)}, ${format.age(asOf)}` : "now"}.</span></div>`;
}

// It is never reloaded by itself: somebody may be about to decide something.
function upgrade() {
  if (!api.isOutdated()) return nothing;
  return html`<div class="note"><b role="status">Postrider was upgraded; reload this page.</b>
    <span>It is of another version than what answers it, and may show less than there is.</span>
    <button class="small" @click=${() => location.reload()}>Reload</button></div>`;
}

function menuBar() {
  const entries = menu.filter(([name]) => !session.isCustomer() || screens[name].isCustomers);
  const current = (name) => (route.screen !== name ? nothing : route.id === "" ? "page" : "true");
  return html`<nav class="menu" aria-label="Screens">${entries.map(([name, label]) => html`
        <a href=${to(name)} aria-current=${current(name)}>${label}</a>`)}</nav>`;
}

function whoAsks() {
  const { name, scopes, not_after: ends } = session.current();
  const hasToken = api.token() !== null;
  const may = name ? html`May ${scopes.join(", ")}${session.isCustomer() ? ", of one customer" : ""}.`
    : "Over the unix socket one may read without a token.";
  return html`<details class="who"><summary>${name ? parts.text(name) : "no token"}</summary>
        <div class="card"><p>${may}</p>
        ${ends ? html`<p>Ends ${parts.age(ends)}.</p>` : nothing}
        <button class="small" @click=${hasToken ? leave : askToken}>${
          hasToken ? "Forget the token" : "Use a token"}</button></div></details>`;
}

function live() {
  const { isPaused, away, asOf } = polling.state;
  return html`<div class="live"><span class="dot ${away ? "bad" : isPaused ? "waiting" : "good"}"
          aria-hidden="true"></span>
        <span class="quiet clock">${asOf ? format.clock(asOf) : ""}</span>
        <button class="small" aria-pressed=${isPaused ? "true" : "false"}
          @click=${() => polling.setPaused(!isPaused)}>Pause</button></div>`;
}

function header() {
  return html`<a class="skip" href="#main" @click=${skip}>To the content</a>
    <header>
      <a class="brand" href=${to("")}>Postrider</a>
      ${phase === "ready" ? html`
      ${menuBar()}
      <form class="find" role="search" aria-label="Find" @submit=${find}><input name="find"
        aria-label="Find an id, or text in a payload" placeholder="Find: id, order number …" autocomplete="off"
        spellcheck="false"></form>
      ${live()}
      ${whoAsks()}` : nothing}
    </header>`;
}

function askToken() {
  phase = "token";
  why = "";
  draw();
}

function skip(event) {
  event.preventDefault();
  document.getElementById("main").focus();
}

function tokenForm() {
  return html`<div class="door">
    <h1 tabindex="-1">Postrider</h1>
    <p>A token with the scope <code>read</code> is needed. It stays in this tab.</p>
    ${why ? html`<div class="note bad" role="alert">${parts.text(why)}</div>` : nothing}
    <form @submit=${submitToken}>
      <label class="field"><span>Token</span><input name="token" type="password" autocomplete="off" spellcheck="false"
        placeholder="prt_…" required></label>
      <div class="buttons"><button class="main">Go on</button></div>
    </form>
    <p class="quiet small">Whoever runs Postrider makes one:<br><code>postrider token new --name ME --scope
      read,operate</code></p>
  </div>`;
}

function content() {
  if (phase === "token") return tokenForm();
  if (phase === "away")
    return html`<h1 tabindex="-1">Postrider</h1><div class="note bad" role="status">
      <b>Nothing is known yet: ${parts.text(why)}.</b> <span>It is asked again every 2 s.</span></div>`;
  if (phase === "asking") return html`<p class="empty loading">Loading …</p>`;
  const view = screen();
  if (view === null)
    return html`<h1 tabindex="-1">There is no such page</h1><p><a href=${to("")}>To the beginning</a></p>`;
  try {
    return view.view(route);
  } catch (error) {
    if (!api.isOutdated()) throw error;
    return html`<p class="empty">This can't be shown by the version that this page is of.</p>`;
  }
}

function saidNote() {
  if (!said) return nothing;
  return html`<div class="note good"><span>${parts.text(said)}</span>
        <button class="small" @click=${() => { said = ""; draw(); }}>Close</button></div>`;
}

function draw() {
  const view = phase === "ready" ? screen() : null;
  const title = view ? `${view.title} · Postrider` : "Postrider";
  if (document.title !== title) document.title = title;
  render(html`${header()}
    <main id="main" tabindex="-1">
      ${upgrade()}
      ${phase === "ready" ? freshness() : nothing}
      <div class="said-line" role="status" aria-live="polite">${saidNote()}</div>
      ${content()}
    </main>`, document.getElementById("page"));
}

session.onSaid((words) => {
  said = words;
  draw();
});
addEventListener("hashchange", onRoute);
addEventListener("redraw", () => { watch(); draw(); });
polling.start(onChange);
const given = takeToken();
if (given !== null) api.setToken(given);
route = current();
begin();
