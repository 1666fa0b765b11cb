// SPDX-License-Identifier: MIT
// How many deliveries a filter of the list chooses, before something is done to all of them: the whole of
// it, whatever page is shown.
//
// What a replay can choose by itself is counted by the server, and goes as one replay that ends at the time
// of the count. Text, status and time of insertion it can't: for those the list is followed to its end, and
// exactly the deliveries that were found are replayed, by their ids. A discard is a replay that deletes.

import { get, path, post } from "./api.js";
import * as format from "./format.js";

const PAGE = 200;
const IDS = 1000; // of one replay
const MOST = 20000;

const byServer = ["customer", "endpoint", "event_type", "error"];

function isByServer(query) {
  return Object.keys(query).every((name) => byServer.includes(name)) && !query.event_type?.endsWith(".*");
}

// What of a route's query chooses rows.
export function filterOf(query) {
  const filter = {};
  for (const name of [...byServer, "status_code", "since", "until", "q"]) if (query[name]) filter[name] = query[name];
  return filter;
}

// {kind: "filter", count, is_at_least, at, filter} or {kind: "ids", count, is_at_least, ids, last: when the last one
// failed}
export async function countDead(filter, progress) {
  if (!isByServer(filter)) return followList(filter, progress);
  const chosen = await asReplay(filter);
  // A replay would take the star for "whatever begins so"; a list takes it as it is.
  if (chosen.endpoint?.endsWith("*")) return followList(filter, progress);
  const counted = await get(path("v1/deliveries/count", { status: "failed", ...chosen }));
  return { kind: "filter", ...counted, filter: { ...chosen, until: counted.at } };
}

// A replay knows an endpoint by its URL.
async function asReplay(filter) {
  if (filter.endpoint === undefined || !format.isUuid(filter.endpoint)) return filter;
  const endpoint = await get(`v1/endpoints/${filter.endpoint}`);
  return { ...filter, endpoint: endpoint.url, customer: filter.customer ?? endpoint.customer_id };
}

async function followList(filter, progress) {
  const ids = [];
  let cursor;
  let last = "";
  for (;;) {
    const page = await get(path("v1/deliveries", { status: "failed", ...filter, limit: PAGE, cursor }));
    ids.push(...page.data.map((row) => row.id));
    for (const { failed_at: at } of page.data) if (at > last) last = at;
    cursor = page.next_cursor;
    if (cursor === null || ids.length > MOST) break;
    if (!progress(`Counting: ${format.number(ids.length)} so far …`)) throw new Error("Counting was given up.");
  }
  return { kind: "ids", count: Math.min(ids.length, MOST), is_at_least: ids.length > MOST, ids, last };
}

// With so many dead letters that not all were looked at, none that was found is not none.
export function isNone(counted) {
  return counted.count === 0 && !counted.is_at_least;
}

export function isTooMany(counted) {
  return counted.kind === "ids" && counted.is_at_least;
}

// The replays that were made. more: {kind, rate}. One that was sent again since it was counted, and has failed again,
// is another failure: no discard takes it.
export async function replay(counted, more = {}) {
  const made = [];
  const isBound = more.kind === "discard" && counted.kind === "ids";
  const until = isBound ? { until: new Date(Date.parse(counted.last) + 2).toISOString() } : {};
  if (counted.kind === "filter") return [await post("v1/replays", { filter: counted.filter, ...more })];
  for (let i = 0; i < counted.ids.length; i += IDS)
    made.push(await post("v1/replays", { filter: { ids: counted.ids.slice(i, i + IDS), ...until }, ...more }));
  return made;
}
