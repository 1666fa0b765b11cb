// SPDX-License-Identifier: MIT
// How far are replays, and how are they stopped?

import * as api from "./api.js";
import { filterWords } from "./deliveries.js";
import * as dialog from "./dialog.js";
import * as format from "./format.js";
import { html, nothing } from "./lit.js";
import * as parts from "./parts.js";
import * as polling from "./polling.js";
import { to } from "./route.js";
import * as session from "./session.js";
import { isCheck, summary, verdicts } from "./verdicts.js";

export const title = "Replays";

export function resources({ id, query }) {
  if (id !== "") return { replay: { path: `v1/replays/${encodeURIComponent(id)}` } };
  return { page: { path: api.path("v1/replays", { state: query.state, limit: 50, cursor: query.cursor }) } };
}

export function stateOf(replay) {
  if (replay.error !== null) return "error";
  if (replay.finished_at !== null) return "finished";
  return replay.stopped_at !== null ? "stopped" : "running";
}

const isDiscard = (replay) => replay.kind === "discard";

const words = { error: "ended with an error", finished: "finished", stopped: "stopped", running: "running" };

function chosen(replay) {
  const { ids, all, ...rest } = replay.filter;
  if (ids !== undefined)
    return `${format.number(ids.length)} chosen by ${format.plural(ids.length, "its id", "their ids")}`;
  if (isCheck(replay))
    return html`${replay.kind} of <a href=${to("endpoints", replay.filter.endpoint_id)}>an endpoint</a>`;
  return all ? "all dead letters" : filterWords(rest);
}

function left(replay) {
  return replay.total === null ? null : BigInt(replay.total) - BigInt(replay.done);
}

function done(replay) {
  if (isCheck(replay)) return replay.result ? summary(replay.result.verdicts) : parts.none();
  if (replay.total === null || replay.total === "0") {
    const become = isDiscard(replay) ? "discarded" : "sent again";
    return html`${format.number(replay.done)} <span class="quiet">${become}</span>`;
  }
  return html`<span class="far">${parts.progress(Number(replay.done), Number(replay.total))}
    <span>${format.number(replay.done)} <span class="quiet">of ${format.number(replay.total)}</span></span></span>`;
}

async function change(replay, what, said) {
  await api.post(`v1/replays/${replay.id}/${what}`);
  session.say(said);
  polling.refresh();
}

async function resume(replay) {
  const rest = left(replay);
  return dialog.ask({
    title: `Go on with this ${isDiscard(replay) ? "discard" : "replay"}`,
    describe: () => html`<p class="big"><b>${rest === null ? "Those that are left" : format.number(rest)}</b></p>
      <p>${rest === null ? "are" : format.plural(rest, "is", "are")} ${
        isDiscard(replay) ? html`<b>deleted for good</b>` : "sent again, slowly at first"}: ${chosen(replay)}.</p>`,
    action: () => (rest === null ? "Resume" : `Resume ${format.number(rest)}`),
    confirm: () => change(replay, "resume", `The ${isDiscard(replay) ? "discard" : "replay"} goes on.`),
  });
}

// It can be resumed, so nobody is asked.
async function stop(replay) {
  try {
    await change(replay, "stop", `The ${isDiscard(replay) ? "discard" : "replay"} has stopped. It can be resumed.`);
  } catch (error) {
    session.say(error.message);
  }
}

function control(replay) {
  const button = (label, click) => html`<button class="small" @click=${click}>${label}</button>`;
  const state = stateOf(replay);
  if (!session.can("operate")) return nothing;
  if (state === "running") return button("Stop", () => stop(replay));
  if (state === "stopped" && !isCheck(replay)) return button("Resume …", () => resume(replay));
  return nothing;
}

function rate(replay) {
  if (isCheck(replay)) return parts.none();
  return replay.rate === null ? html`<span class="quiet">no limit</span>` : format.number(replay.rate);
}

const columns = [
  { title: "Asked for", cell: (row) => html`<a href=${to("replays", row.id)}>${parts.time(row.requested_at)}</a>` },
  { title: "State", cell: (row) => parts.badge(stateOf(row), words[stateOf(row)]) },
  { title: "What", width: "wide",
    cell: (row) => (isDiscard(row) ? html`<b>discards</b> ${chosen(row)}` : chosen(row)) },
  { title: "How far", width: "narrow", cell: done },
  { title: "Left as they are", isNumber: true,
    cell: (row) => (isCheck(row) ? parts.none() : format.number(row.skipped_count)) },
  { title: "At most a second", isNumber: true, cell: rate },
  { title: "By", width: "narrow", cell: (row) => parts.text(row.requested_by) },
  { title: "Change", cell: (row) => (control(row) === nothing ? parts.none() : control(row)) },
];

const tabs = [["", "All"], ["open", "Not finished"], ["finished", "Finished"]];

function list(query) {
  return html`<h1 tabindex="-1">Replays</h1>
    <nav class="tabs" aria-label="Which replays">${tabs.map(([name, label]) => html`
      <a href=${to("replays", "", { state: name })}
        aria-current=${name === (query.state ?? "") ? "page" : nothing}>${label}</a>`)}</nav>
    ${session.can("operate") ? nothing : session.ifOperator(nothing)}
    ${parts.loaded("page", (page) => html`${parts.table({
      caption: "Replays", rows: page.data, key: (row) => row.id, columns,
      empty: html`No replay was asked for yet. <a
        href=${to("deliveries", "", { status: "failed" })}>Dead letters</a> can be replayed, one or all that match.`,
    })}
      ${parts.pager(page, "replays", query, "older ones")}`)}`;
}

function sentence(replay) {
  const state = stateOf(replay);
  const number = format.number(replay.done);
  const isBegun = replay.started_at !== null;
  if (state === "error") return html`It has ended: ${parts.text(replay.error)}`;
  if (state === "running" && !isBegun) return "No worker has begun with it yet.";
  if (isCheck(replay)) return `It is ${words[state]}.`;
  if (state === "finished")
    return html`It has finished ${parts.age(replay.finished_at)}: ${number} ${
      format.plural(replay.done, "dead letter was", "dead letters were")} ${
      isDiscard(replay) ? "deleted" : "made pending again"}.`;
  if (state === "stopped") return html`It was stopped ${parts.age(replay.stopped_at)}, after ${number}.`;
  const ofAll = replay.total === null ? nothing : html` of ${format.number(replay.total)}`;
  return html`It goes on: ${number}${ofAll} by now.`;
}

function facts(replay) {
  return parts.facts([
    ["What", chosen(replay)],
    ["Kind", replay.kind],
    ["Asked for", html`${parts.timeAndAge(replay.requested_at)} by ${parts.text(replay.requested_by)}`],
    ["Begun", parts.timeAndAge(replay.started_at)],
    ["Stopped", replay.stopped_at ? parts.timeAndAge(replay.stopped_at) : nothing],
    ["Finished", replay.finished_at ? parts.timeAndAge(replay.finished_at) : nothing],
    ["At most a second", isCheck(replay) ? nothing : rate(replay)],
    ["Pass", isCheck(replay) ? nothing : format.number(replay.pass)],
  ]);
}

function skippedSection(replay) {
  const skipped = Object.entries(replay.skipped);
  if (skipped.length === 0) return nothing;
  const why = isDiscard(replay) ? "Somebody else was at work on them."
    : "Their endpoints are disabled, or do nothing but fail.";
  return html`<section><h2>Left as they are</h2>
    <p class="quiet">${why}</p>
    ${parts.table({
      caption: "Dead letters that were left as they are", rows: skipped, key: ([url]) => url, empty: "",
      columns: [{ title: "Endpoint", cell: ([url]) => parts.url(url) },
        { title: "Dead letters", isNumber: true, cell: ([, amount]) => format.number(amount) }],
    })}</section>`;
}

function one(replay) {
  const state = stateOf(replay);
  const kind = isDiscard(replay) ? "Discard" : "Replay";
  return html`<div class="heading"><h1 tabindex="-1">${kind} ${parts.wholeId(replay.id)}</h1>${control(replay)}</div>
    <div class="sentence"><p>${parts.badge(state, words[state])} <span class="said">${sentence(replay)}</span></p></div>
    ${isCheck(replay) ? html`<section><h2>What was found</h2>${verdicts(replay)}</section>`
      : html`<p>${done(replay)}</p>`}
    ${facts(replay)}
    ${skippedSection(replay)}
    <p><a href=${to("replays")}>All replays</a></p>`;
}

export function view({ id, query }) {
  return id === "" ? list(query) : parts.loaded("replay", one);
}
