// SPDX-License-Identifier: MIT
// Small parts that every screen has. Texts of strangers go through text(), ids and times through theirs.

import * as format from "./format.js";
import { html, nothing, repeat } from "./lit.js";
import * as polling from "./polling.js";
import { to } from "./route.js";

// What somebody else has written: isolated, so that it turns nothing around it about, and what can't be
// seen is written out. It is never more than text.
export function text(value) {
  return value === null || value === undefined || value === "" ? none() : html`<bdi>${format.plain(value)}</bdi>`;
}

// order.paid, that may go on in the next line behind a full stop.
export function type(value) {
  if (!value) return none();
  const pieces = format.plain(value).split(/(?<=\.)/);
  return html`<bdi>${pieces.map((part, i) => (i === 0 ? part : html`<wbr>${part}`))}</bdi>`;
}

export function none() {
  return html`<span class="none">–</span>`;
}

export function time(value) {
  if (value === null || value === undefined) return none();
  return html`<time datetime=${value} title=${format.exactTime(value)}>${format.time(value)}</time>`;
}

// "3 min ago", with the time itself on hover.
export function age(value) {
  if (value === null || value === undefined) return none();
  return html`<time datetime=${value} title=${format.exactTime(value)}>${format.age(value)}</time>`;
}

// "3 min", since that time: how long something has been so.
export function lasting(value) {
  if (value === null || value === undefined) return none();
  return html`<time datetime=${value} title=${format.exactTime(value)}>${format.lasting(value)}</time>`;
}

export function timeAndAge(value) {
  if (value === null || value === undefined) return none();
  return html`${time(value)} <span class="quiet">(${age(value)})</span>`;
}

export function idLink(screen, id) {
  if (id === null || id === undefined) return none();
  return html`<a class="id" href=${to(screen, id)} title=${id}>${format.shortId(id)}</a>`;
}

export function id(value) {
  if (value === null || value === undefined) return none();
  return html`<code class="id" title=${value}>${format.shortId(value)}</code>`;
}

export function wholeId(value) {
  return html`<code class="id">${value}</code>`;
}

// Whose host it is comes first. Where one looks at it alone, it says that it is not encrypted.
export function url(value, isAlone = false) {
  if (value === null || value === undefined || value === "")
    return html`<span class="quiet">none: it fetches its feed</span>`;
  const parts = format.urlParts(value);
  return html`<bdi class="url" title=${format.plain(value)}><b>${format.plain(parts.host)}</b><wbr><span
    class="quiet">${format.plain(parts.rest)}</span>${
    isAlone && parts.isPlain ? html` <span class="mark">http</span>` : nothing}</bdi>`;
}

const kinds = {
  delivered: "good", pending: "waiting", failed: "bad", enabled: "good", failing: "bad", paused: "waiting",
  disabled: "off", finished: "good", running: "going", stopped: "waiting", error: "bad", late: "bad",
  leaving: "waiting", valid: "good", ended: "off", well: "good",
};

const words = { failed: "dead letter", enabled: "answering" };

export function badge(state, word) {
  return html`<span class="badge ${kinds[state] ?? "off"}">${word ?? words[state] ?? state}</span>`;
}

export function statusCode(code) {
  if (code === null || code === undefined) return none();
  return html`<span class="code ${code < 300 ? "good" : "bad"}">${code}</span>`;
}

// columns: [{title, cell(row), isNumber?, width?: "narrow", "middle" or "wide", for long texts}]. On a narrow screen
// each row is a card, so roles are said.
export function table({ caption, columns, rows, key, empty, isQuiet }) {
  if (rows.length === 0) return html`<p class="empty">${empty}</p>`;
  return html`<table role="table" class=${isQuiet ? "rows quiet-head" : "rows"}>
    <caption class="unseen">${caption}</caption>
    <thead role="rowgroup"><tr role="row">${columns.map(({ title, isNumber, width }) => html`
      <th role="columnheader" scope="col" class=${isNumber ? "number" : width ?? ""}>${title}</th>`)}</tr></thead>
    <tbody role="rowgroup">${repeat(rows, key, (row) => html`<tr role="row">${columns.map(
      ({ title, isNumber, cell }) => html`
      <td role="cell" class=${isNumber ? "number" : ""}><span class="label" aria-hidden="true">${title}</span><span
        class="value">${cell(row)}</span></td>`)}</tr>`)}</tbody>
  </table>`;
}

// [[name, value], …]; a name of nothing leaves its row out.
export function facts(rows) {
  return html`<dl class="facts">${rows.filter(([, value]) => value !== nothing).map(([name, value]) => html`
    <div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`;
}

export function tile(name, value, { note = nothing, kind = "", href } = {}) {
  const inner = html`<span class="tile-name">${name}</span><span class="tile-value">${value}</span><span
    class="tile-note">${note}</span>`;
  if (href) return html`<a class="tile ${kind}" href=${href}>${inner}</a>`;
  return html`<div class="tile ${kind}">${inner}</div>`;
}

// What there is of a resource, or why it isn't.
export function loaded(name, view) {
  const value = polling.value(name);
  const problem = polling.problem(name);
  if (value !== undefined) return view(value);
  if (problem !== undefined && !problem.isPassing) return refusal(problem);
  if (problem !== undefined) return html`<p class="empty">Nothing is known yet: ${problem.message}.</p>`;
  return html`<p class="empty loading">Loading …</p>`;
}

export function refusal(problem) {
  const titles = { 403: "This token may not see this.", 404: "There is nothing here.",
    422: "This can't be shown like that." };
  return html`<div class="note bad" role="alert"><b>${titles[problem.status] ?? "This can't be shown."}</b>
    <span>${text(problem.message)}</span></div>`;
}

// The newest page is the first one; the browser's Back goes to the one before.
export function pager(page, screen, query, name) {
  const rest = { ...query };
  delete rest.cursor;
  return html`<nav class="pager" aria-label="Pages">
    ${query.cursor ? html`<a class="button" href=${to(screen, "", rest)}>First page</a>` : nothing}
    ${page.searched_until ? html`<span class="quiet">Searched until ${time(page.searched_until)}.</span>` : nothing}
    ${page.next_cursor ? html`<a class="button" href=${to(screen, "", { ...rest, cursor: page.next_cursor })}>${
      page.searched_until ? "Search further" : `More ${name}`}</a>`
      : html`<span class="quiet">${page.data.length === 0 ? nothing : "This is the last page."}</span>`}
  </nav>`;
}

export function progress(done, total) {
  return html`<progress max=${total} value=${done} aria-label="done"></progress>`;
}
