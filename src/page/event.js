// SPDX-License-Identifier: MIT
// Who got an event, why was it there, and what followed?

import { columns } from "./deliveries.js";
import * as format from "./format.js";
import { html, nothing } from "./lit.js";
import * as parts from "./parts.js";
import { payload } from "./payload.js";
import { to } from "./route.js";

export const title = "Event";

export function resources(route) {
  return { event: { path: `v1/events/${encodeURIComponent(route.id)}`, isExact: true } };
}

function reference(event) {
  return html`<a href=${to("events", event.id)}>${parts.text(event.type)}</a> <span class="quiet">${
    parts.time(event.created_at)}</span>`;
}

function cause(event) {
  if (event.cause) return reference(event.cause);
  if (!event.causation_id) return html`<span class="quiet">nothing that it names</span>`;
  return html`${parts.wholeId(event.causation_id)} <span class="quiet">which is not here</span>`;
}

// "It went to 3 endpoints: 2 have it, 1 is a dead letter."
function sentence(event) {
  const rows = event.deliveries.data;
  const of = (status) => rows.filter((row) => row.status === status).length;
  const said = [[of("delivered"), "have it", "has it"], [of("pending"), "wait", "waits"],
    [of("failed"), "are dead letters", "is a dead letter"]]
    .filter(([amount]) => amount > 0)
    .map(([amount, many, one]) => `${format.number(amount)} ${format.plural(amount, one, many)}`);
  if (rows.length === 0) return "No endpoint was subscribed to it, or its deliveries are removed by now.";
  const atLeast = event.deliveries.is_more ? "more than " : "";
  const endpoints = format.plural(rows.length, "endpoint", "endpoints");
  return `It goes to ${atLeast}${format.number(rows.length)} ${endpoints}: ${said.join(", ")}.`;
}

export function view() {
  return parts.loaded("event", (event) => html`
    <h1 tabindex="-1">Event ${parts.text(event.type)}</h1>
    <div class="sentence"><p><span class="said">${sentence(event)}</span></p></div>
    <div class="columns">
      <section><h2>Cause and consequences</h2>
        <ol class="chain">
          <li class="cause"><span class="quiet">caused by</span> ${cause(event)}</li>
          <li class="here"><b>${parts.text(event.type)}</b> <span class="quiet">${
            parts.time(event.created_at)}</span></li>
          ${event.followed.data.length === 0 ? html`<li class="quiet">Nothing names it as its cause.</li>`
            : event.followed.data.map((one) => html`<li><span class="quiet">then</span> ${reference(one)}</li>`)}
        </ol>
        ${event.followed.is_more ? html`<p class="quiet">These are the first 100.</p>` : nothing}
      </section>
      <section><h2>What it is</h2>${parts.facts([
        ["Id", parts.wholeId(event.id)],
        ["Customer", parts.wholeId(event.customer_id)],
        ["Published", parts.timeAndAge(event.created_at)],
        ["Not before", event.deliver_after ? parts.timeAndAge(event.deliver_after) : nothing],
        ["Ordering key", event.ordering_key ? parts.text(event.ordering_key) : nothing],
        ["Idempotency key", event.idempotency_key ? parts.text(event.idempotency_key) : nothing],
        ["Correlation", event.correlation_id ? parts.wholeId(event.correlation_id) : nothing],
        ["Trace", event.traceparent ? parts.text(event.traceparent) : nothing],
        ["Erased", event.erased_at ? parts.timeAndAge(event.erased_at) : nothing],
      ])}</section>
    </div>
    <section><h2>Deliveries</h2>${parts.table({ caption: "Deliveries of this event", rows: event.deliveries.data,
      key: (row) => row.id, empty: "There are none.",
      columns: columns().filter((column) => column.title !== "Event type") })}
      ${event.deliveries.is_more ? html`<p class="quiet">These are the first 100.</p>` : nothing}</section>
    <section><h2>Data</h2>${
      payload(event.data, event.data_bytes, event.is_data_left_out, event.erased_at !== null, event.id)}</section>`);
}
