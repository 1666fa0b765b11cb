// SPDX-License-Identifier: MIT
// What is asked of the API, and the token that it is asked with.
//
// The token is in sessionStorage: it ends with the tab, no other tab or site has it, and nothing of it
// is in a URL. A problem (RFC 9457) is an Error with its status; status 0 says that nobody answered. asker
// is the token that it is about: there may be another by the time it comes.

// Which page this is, as it stands in the names of its files, and which one is served by now.
const own = /\.([0-9a-f]{16})\.js$/.exec(new URL(import.meta.url).pathname)?.[1];
let served = own;

export function isOutdated() {
  return served !== own;
}

const KEY = "postrider.token";
const TIMEOUT_MS = 15000;

export class Problem extends Error {
  constructor(status, detail, isPassing) {
    super(detail);
    this.status = status;
    this.isPassing = isPassing; // the same may go well in a moment
  }
}

export function token() {
  return sessionStorage.getItem(KEY);
}

export function setToken(text) {
  if (text === null) sessionStorage.removeItem(KEY);
  else sessionStorage.setItem(KEY, text);
}

// Numbers of a payload to their last digit, where the browser can keep them.
function keepDigits(name, value, context) {
  if (typeof value !== "number" || !JSON.rawJSON || !context?.source || String(value) === context.source) return value;
  return JSON.rawJSON(context.source);
}

async function problemOf(answer) {
  const isPassing = answer.status === 503 && answer.headers.has("Retry-After");
  let detail = `The answer was ${answer.status}, without a reason.`;
  try {
    detail = (await answer.json()).detail ?? detail;
  } catch {
    // Of a proxy in front of us: it has no reason that we could read.
    if (answer.status === 502 || answer.status === 504) return new Problem(0, "postrider serve does not answer", true);
  }
  return new Problem(answer.status, detail, isPassing);
}

// {value, etag}; value is undefined when etag is still that of the answer.
export async function request(method, path, { body, etag, isExact, maxAgeS } = {}) {
  const headers = {};
  const asker = token();
  let answer;
  if (asker !== null) headers.Authorization = `Bearer ${asker}`;
  if (etag) headers["If-None-Match"] = etag;
  if (maxAgeS) headers["Cache-Control"] = `max-age=${maxAgeS}`; // of serve's answers to others
  if (body !== undefined) headers["Content-Type"] = "application/json";
  try {
    answer = await fetch(path, {
      method, headers, cache: "no-store", credentials: "omit", redirect: "error",
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: AbortSignal.timeout(TIMEOUT_MS),
    });
    served = answer.headers.get("Postrider-Page") ?? served;
    if (answer.status === 304) return { etag };
    if (!answer.ok) throw Object.assign(await problemOf(answer), { asker });
    const text = await answer.text();
    return { value: JSON.parse(text, isExact ? keepDigits : undefined), etag: answer.headers.get("ETag") };
  } catch (error) {
    if (error instanceof Problem) throw error;
    throw new Problem(0, "postrider serve does not answer", true);
  }
}

export async function get(path) {
  return (await request("GET", path)).value;
}

export async function post(path, body) {
  return (await request("POST", path, { body })).value;
}

// A path with those of the parameters that are not empty.
export function path(base, parameters) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters))
    if (value !== undefined && value !== null && value !== "") query.set(name, value);
  const text = query.toString();
  return text === "" ? base : `${base}?${text}`;
}

// Whether this server has a route; what it is too old for is not offered.
let paths = null;
let isAsking = false;
export function has(route, onKnown) {
  if (paths === null && !isAsking) {
    isAsking = true;
    get("v1/openapi.json").then((document) => {
      paths = document.paths;
      onKnown();
    }, () => { isAsking = false; });
  }
  return paths !== null && route in paths;
}
