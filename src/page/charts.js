// SPDX-License-Identifier: MIT
// Lines over time, drawn by uPlot. Each has a summary in words above it and a table behind it: the drawing
// itself is for eyes alone.

import * as format from "./format.js";
import { html, nothing } from "./lit.js";
import * as parts from "./parts.js";

const HEIGHT = 180;
const scheme = matchMedia("(prefers-color-scheme: dark)");

function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
}

const clock = (seconds) => new Date(seconds * 1000).toTimeString().slice(0, 5);

// <postrider-chart>: .drawing = {at: [ms], lines: [{name, colour, values, dash?}], unit(value)}
class Chart extends HTMLElement {
  set drawing(drawing) {
    const isSame = this.plot && this.names === String(drawing.lines.map((line) => line.name));
    this.given = drawing;
    if (isSame) this.plot.setData(this.data());
    else if (this.isConnected) this.build();
  }

  connectedCallback() {
    this.sized = new ResizeObserver(() => {
      if (this.plot && this.clientWidth > 0) this.plot.setSize({ width: this.clientWidth, height: HEIGHT });
    });
    this.sized.observe(this);
    this.onScheme = () => this.build();
    scheme.addEventListener("change", this.onScheme);
    if (this.given) this.build();
  }

  disconnectedCallback() {
    this.sized.disconnect();
    scheme.removeEventListener("change", this.onScheme);
    this.plot?.destroy();
    this.plot = null;
  }

  data() {
    return [this.given.at.map((ms) => ms / 1000), ...this.given.lines.map((line) => line.values)];
  }

  build() {
    const { lines, unit } = this.given;
    const axis = { stroke: colour("quiet"), size: 30, grid: { stroke: colour("line"), width: 1 },
      ticks: { show: false }, font: "12px system-ui, sans-serif" };
    this.plot?.destroy();
    this.names = String(lines.map((line) => line.name));
    this.plot = new window.uPlot({
      width: Math.max(this.clientWidth, 200), height: HEIGHT, legend: { show: false }, padding: [8, 18, 0, 0],
      cursor: { show: true, y: false, points: { size: 6 }, drag: { x: false, y: false } },
      scales: { y: { range: (plot, low, high) => [0, Math.max(high * 1.1, 1)] } },
      axes: [{ ...axis, values: (plot, at) => at.map(clock) },
        { ...axis, size: 58, values: (plot, values) => values.map((value) => unit(value)) }],
      series: [{}, ...lines.map((line) => ({
        label: line.name, stroke: colour(line.colour), width: 1.75, dash: line.dash, points: { show: false },
        spanGaps: false,
      }))],
    }, this.data(), this);
  }
}
customElements.define("postrider-chart", Chart);

function legend(lines) {
  return html`<ul class="legend" aria-hidden="true">${lines.map((line) => html`
    <li><span class="swatch ${line.colour} ${line.dash ? "dashed" : ""}"></span>${line.name}</li>`)}</ul>`;
}

// A step in which there was nothing to measure has null, and a gap.
export function chart({ title, summary, at, lines, unit }) {
  const isEmpty = lines.every((line) => line.values.every((value) => !value)); // there is nothing to draw
  if (isEmpty) return html`<figure class="chart"><figcaption><h3>${title}</h3><p>${summary}</p></figcaption></figure>`;
  const rows = at.map((ms, i) => ({ ms, values: lines.map((line) => line.values[i]) })).reverse();
  return html`<figure class="chart">
    <figcaption><h3>${title}</h3><p>${summary}</p></figcaption>
    ${legend(lines)}
    <postrider-chart aria-hidden="true" .drawing=${{ at, lines, unit }}></postrider-chart>
    <details class="behind"><summary>As a table</summary><div class="scrolls" tabindex="0" role="region"
      aria-label="${title}, as a table">
      <table><caption class="unseen">${title}</caption>
      <thead><tr><th scope="col">from</th>${lines.map(({ name }) => html`<th scope="col" class="number">${
        name}</th>`)}</tr></thead>
      <tbody>${rows.map((row) => html`<tr><th scope="row">${parts.time(new Date(row.ms).toISOString())}</th>${
        row.values.map((value) => html`<td class="number">${
          value === null ? parts.none() : unit(value)}</td>`)}</tr>`)}</tbody>
      </table></div></details>
  </figure>`;
}

export function perMinute(value) {
  return value >= 100 || value === Math.trunc(value) ? format.number(value) : value.toFixed(1);
}
export const inTime = (ms) => (ms === 0 ? "0" : format.duration(ms));

// Of a range of the screen's query: how long, and how fine.
export const ranges = { "1h": { ms: 3600000, step: 1, words: "last hour" },
  "6h": { ms: 21600000, step: 5, words: "last 6 hours" },
  "24h": { ms: 86400000, step: 15, words: "last 24 hours" } };

export function rangeOf(query) {
  return ranges[query.range] ? query.range : "1h";
}

// Of what is there: that of another range stays until the one that was asked for has come.
export function rangeOfHistory(history) {
  const ms = Date.parse(history.until) - Date.parse(history.since);
  return Object.keys(ranges).find((name) => ranges[name].ms >= ms - 60000) ?? "24h";
}

// Whole minutes, so that it is the same question for a minute, and its ETag holds.
export function span(range, now = Date.now()) {
  const until = Math.floor(now / 60000) * 60000;
  return { since: new Date(until - ranges[range].ms).toISOString(), until: new Date(until).toISOString() };
}

export function rangeLinks(range, address) {
  const links = Object.entries(ranges);
  return html`<nav class="choices" aria-label="Range of the charts">${links.map(([name, { words }]) => html`
    <a href=${address(name)} aria-current=${name === range ? "true" : nothing}>${words}</a>`)}</nav>`;
}
