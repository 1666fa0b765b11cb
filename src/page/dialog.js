// SPDX-License-Identifier: MIT
// The question before something is done that can't be taken back at once. It says how many things it is
// about, so it counts first; nothing can be confirmed before the number is there.

import { html, live, nothing, render } from "./lit.js";
import * as parts from "./parts.js";

let asked = null; // {title, count(), describe(counted), action(counted), confirm(counted, values), fields}

const place = () => document.getElementById("dialogs");

// count: async (progress) → anything; progress(text) shows how far it is. describe, action: of what was counted.
// fields: [{name, label, hint, type, recounts}]. confirm: async (counted, values). Resolves when the dialog is closed.
export function ask(question) {
  const before = document.activeElement;
  asked = { fields: [], values: {}, counted: undefined, progress: "Counting …", problem: null, isBusy: false,
    isOver: false, ...question };
  draw();
  const dialog = place().querySelector("dialog");
  dialog.showModal();
  count(asked);
  return new Promise((resolve) => {
    dialog.addEventListener("close", () => {
      if (asked !== null) asked.isOver = true;
      asked = null;
      draw();
      if (before?.isConnected) before.focus();
      resolve();
    }, { once: true });
  });
}

async function count(question) {
  const turn = question.turn = (question.turn ?? 0) + 1;
  const isLatest = () => !question.isOver && question.turn === turn;
  try {
    const counted = await question.count?.((text) => {
      if (isLatest()) question.progress = text;
      draw();
      return isLatest();
    }) ?? null;
    if (isLatest()) question.counted = counted;
  } catch (error) {
    if (isLatest()) question.problem = error.message;
  }
  draw();
}

function close() {
  place().querySelector("dialog")?.close();
}

async function confirm(event) {
  const question = asked;
  event.preventDefault();
  question.isBusy = true;
  question.problem = null;
  draw();
  try {
    await question.confirm(question.counted, question.values);
    close();
  } catch (error) {
    question.isBusy = false;
    question.problem = error.message;
    draw();
  }
}

// Another value of a field that decides how many it is about: they are counted anew.
function recount(question) {
  question.counted = undefined;
  question.problem = null;
  draw();
  count(question);
}

function field(question, { name, label, hint, type = "text", min, step, recounts }) {
  return html`<label class="field"><span>${label}</span>
    <input name=${name} type=${type} min=${min ?? nothing} step=${step ?? nothing}
      .value=${live(question.values[name] ?? "")}
      @input=${(event) => { question.values[name] = event.target.value; }}
      @change=${() => { if (recounts) recount(question); }}>
    ${hint ? html`<small>${hint}</small>` : nothing}</label>`;
}

function draw() {
  const question = asked;
  if (question === null) {
    render(nothing, place());
    return;
  }
  const isCounted = question.counted !== undefined;
  const isNothing = isCounted && question.isNothing?.(question.counted);
  render(html`<dialog aria-labelledby="dialog-title">
    <form method="dialog" @submit=${confirm}>
      <h2 id="dialog-title">${question.title}</h2>
      <div aria-live="polite">${isCounted ? question.describe(question.counted)
        : question.problem ? nothing : html`<p class="quiet">${question.progress}</p>`}</div>
      ${question.fields.filter((one) => !isNothing || one.recounts).map((one) => field(question, one))}
      ${question.problem ? html`<div class="note bad" role="alert">${parts.text(question.problem)}</div>` : nothing}
      <div class="buttons">
        <button type="button" @click=${close} autofocus>${isNothing ? "Close" : "Cancel"}</button>
        ${isNothing ? nothing : html`<button class="danger" ?disabled=${!isCounted || question.isBusy}>${
          isCounted ? question.action(question.counted) : question.wait ?? "Counting …"}</button>`}
      </div>
    </form></dialog>`, place());
}
