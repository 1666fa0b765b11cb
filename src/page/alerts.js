// SPDX-License-Identifier: MIT
// Which alerts are open (docs/alerts.md): what a worker has told somebody of, and what to do about it.

import * as format from "./format.js";
import { html, nothing } from "./lit.js";
import * as parts from "./parts.js";
import { to } from "./route.js";

const URL_SHOWN = 500; // an alert keeps so much of a URL, and a longer one is not known whole (src/db/alerts.c)

// By the part of the cause before its full stop: where it is seen, and what to do.
const causes = {
  dead_letters: {
    place: () => to("deliveries", "", { status: "failed" }), link: "Dead letters",
    todo: { receiver: "Their owners have to know; once they answer, replay what has failed.",
      ours: "The error of a dead letter says what to mend; then replay them." },
    of: (one) => to("deliveries", "", { status: "failed", endpoint: one.url, customer: one.customer_id }),
  },
  oldest_due: {
    place: () => to("deliveries", "", { status: "pending" }), link: "What is due",
    todo: { receiver: "They wait for a receiver that does nothing but fail.",
      ours: "Postrider doesn't keep up, or an endpoint takes less than it gets: the page of a delivery says why it"
        + " waits." },
    of: (one) => to("deliveries", "", { status: "pending", endpoint: one.url, customer: one.customer_id }),
  },
  key_blocked: {
    place: ({ delivery_id: head }) => (head ? to("deliveries", head) : to("deliveries", "", { status: "failed" })),
    link: "The dead letter in front",
    todo: { receiver: "Replay it, or discard it." },
    of: (one) => to("endpoints", "", { url: one.url }),
  },
  lane_unowned: { place: () => to("workers"), link: "Workers", todo: { ours: "Look why no worker takes them." } },
  audit: { todo: { ours: () => html`Run it, and see what it names: <code>postrider audit</code>.` } },
};

function about(alert, of) {
  const given = alert.detail?.endpoints ?? [];
  const found = given.map((one) => (typeof one === "string" ? { url: one } : one)).slice(0, 3);
  if (found.length === 0) return nothing;
  return html`<ul class="about">${found.map((one) => html`
    <li>${of && one.url.length < URL_SHOWN ? html`<a href=${of(one)}>${parts.url(one.url)}</a>` : parts.url(one.url)}${
      one.count === undefined ? nothing : html` <span class="quiet together">${format.number(one.count)} ${
        format.plural(one.count, "delivery", "deliveries")}</span>`}</li>`)}</ul>`;
}

function sentence(alert, todo) {
  const told = alert.told_at ? html`, told ${parts.age(alert.told_at)}` : ", and nobody was told yet";
  const advice = typeof todo === "function" ? todo(alert.detail ?? {}) : todo ?? nothing;
  return html`<span class="badge bad">alert</span> <b>${parts.text(upper(alert.summary))}.</b>
    <span class="quiet">For ${parts.lasting(alert.raised_at)}${told}.</span> ${advice}`;
}

// As the sentences of the overview: {kind, words, href, link}, of one fault, the oldest first.
export function sentences(alerts, fault, kind) {
  return (alerts ?? []).filter((alert) => alert.fault === fault).map((alert) => {
    const { place, link, todo, of } = causes[alert.cause.split(".")[0]] ?? {};
    const href = place?.(alert.detail ?? {});
    return { kind, words: sentence(alert, todo?.[fault]), href, link, after: about(alert, of) };
  });
}

const upper = (words) => words.slice(0, 1).toUpperCase() + words.slice(1);
