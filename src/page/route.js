// SPDX-License-Identifier: MIT
// Where one is, as the fragment says it: "#/deliveries?status=failed&q=4711". All filters are there, so a
// link shows what its sender saw; and no server or proxy sees them, for a fragment is not sent.

export function current() {
  const text = location.hash.replace(/^#/, "");
  const at = text.indexOf("?");
  const path = at < 0 ? text : text.slice(0, at);
  const [, screen = "", id = ""] = path.split("/");
  let name = id;
  try {
    name = decodeURIComponent(id);
  } catch {
    // It is no id in any case.
  }
  return { screen, id: name, query: Object.fromEntries(new URLSearchParams(at < 0 ? "" : text.slice(at + 1))) };
}

// The address of a screen; what is empty is left out.
export function to(screen, id = "", query = {}) {
  const given = new URLSearchParams();
  for (const [name, value] of Object.entries(query))
    if (value !== undefined && value !== null && value !== "") given.set(name, value);
  const text = given.toString();
  return `#/${screen}${id === "" ? "" : `/${encodeURIComponent(id)}`}${text === "" ? "" : `?${text}`}`;
}

export function go(screen, id, query) {
  location.hash = to(screen, id, query);
}

// A token that is in the address goes out of it, and out of the history, at once. Null: there is none.
export function takeToken() {
  const match = /^#token=([^&]+)$/.exec(location.hash);
  if (match === null) return null;
  history.replaceState(null, "", `${location.pathname}#/`);
  return decodeURIComponent(match[1]);
}
