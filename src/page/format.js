// SPDX-License-Identifier: MIT
// Times, numbers and the texts of strangers, as they are shown.

const pad = (number, digits = 2) => String(number).padStart(digits, "0");
const months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

// "12:03:04.123", and the day before it where it is another one than today.
export function time(text) {
  const at = new Date(text);
  const now = new Date();
  if (at.toDateString() === now.toDateString()) return toMilliseconds(at);
  const year = at.getFullYear() === now.getFullYear() ? "" : ` ${at.getFullYear()}`;
  return `${at.getDate()} ${months[at.getMonth()]}${year} ${toMilliseconds(at)}`;
}

function toMilliseconds(at) {
  return `${pad(at.getHours())}:${pad(at.getMinutes())}:${pad(at.getSeconds())}.${pad(at.getMilliseconds(), 3)}`;
}

// "12:03:04" of a Date or milliseconds.
export function clock(at) {
  return new Date(at).toTimeString().slice(0, 8);
}

// With the day, the zone, and the same in UTC to the last digit that the server has.
export function exactTime(text) {
  const at = new Date(text);
  const minutes = -at.getTimezoneOffset();
  const zone = `${minutes < 0 ? "-" : "+"}${pad(Math.floor(Math.abs(minutes) / 60))}:${pad(Math.abs(minutes) % 60)}`;
  const day = `${at.getFullYear()}-${pad(at.getMonth() + 1)}-${pad(at.getDate())}`;
  return `${day} ${toMilliseconds(at)} ${zone} (${String(text).replace("T", " ").replace("Z", " UTC")})`;
}

// A length of time: "850 ms", "3.2 s", "3 s", "4 min", "3 h 20 min", "12 d".
export function duration(ms) {
  if (ms < 0) return `−${duration(-ms)}`;
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 10000 && ms % 1000 !== 0) return `${(Math.floor(ms / 100) / 10).toFixed(1)} s`;
  const seconds = Math.floor(ms / 1000);
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return minutes % 60 === 0 || hours >= 10 ? `${hours} h` : `${hours} h ${minutes % 60} min`;
  return `${Math.floor(hours / 24)} d`;
}

// Seconds are whole in the next two: they are drawn each second anew.
export function age(text) {
  const ms = Date.now() - new Date(text).getTime();
  if (ms < 0) return `in ${duration(Math.ceil(-ms / 1000) * 1000)}`;
  if (ms < 1000) return "now";
  return `${duration(Math.floor(ms / 1000) * 1000)} ago`;
}

// For how long it has been so.
export function lasting(text) {
  const ms = Date.now() - new Date(text).getTime();
  return duration(Math.max(1, Math.floor(ms / 1000)) * 1000);
}

// An integer, or a text of one.
export function number(value) {
  return (typeof value === "number" ? Math.trunc(value) : BigInt(value)).toLocaleString("en-US");
}

// {count, is_at_least}
export function count(counted) {
  return `${counted.is_at_least ? "at least " : ""}${number(counted.count)}`;
}

export function shortCount(counted) {
  return `${number(counted.count)}${counted.is_at_least ? "+" : ""}`;
}

export function plural(amount, one, many) {
  return Number(amount) === 1 ? one : many;
}

export function bytes(amount) {
  if (amount < 1024) return `${amount} ${plural(amount, "byte", "bytes")}`;
  if (amount < 1024 * 1024) return `${(amount / 1024).toFixed(1)} KiB`;
  return `${(amount / 1024 / 1024).toFixed(1)} MiB`;
}

// "1.5 %", "23 %"; what is little is never 0.
export function percent(part, whole) {
  const share = (100 * part) / whole;
  if (share > 0 && share < 0.1) return "< 0.1 %";
  return `${share < 10 && share > 0 ? share.toFixed(1) : Math.round(share)} %`;
}

// What somebody has set: to its last digit.
export function exactNumber(value) {
  return value.toLocaleString("en-US", { maximumFractionDigits: 20 });
}

export function rate(perSecond) {
  if (perSecond === 0) return "0";
  return perSecond < 10 ? perSecond.toFixed(1) : number(Math.round(perSecond));
}

// What can't be seen, or turns what stands around it about, is written out: C0, C1, bidi, zero width, BOM.
const unseen = new RegExp("[\\u0000-\\u0008\\u000b\\u000c\\u000e-\\u001f\\u007f-\\u009f\\u061c\\u200b-\\u200f"
  + "\\u2028-\\u202e\\u2060-\\u2069\\ufeff]", "g");

export function plain(text) {
  return String(text).replace(unseen, (letter) => `\\u${letter.codePointAt(0).toString(16).padStart(4, "0")}`);
}

export function shortId(id) {
  return `${id.slice(0, 8)}…${id.slice(-4)}`;
}

export function isUuid(text) {
  return /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text);
}

// {host, rest} of a URL as a reader tells it apart; a text that is none is all host.
export function urlParts(text) {
  const match = /^(https?:\/\/)([^/?#]*)(.*)$/s.exec(text);
  return match === null ? { host: text, rest: "", isPlain: false }
    : { host: match[2], rest: match[3], isPlain: match[1] === "http://" };
}
