// SPDX-License-Identifier: MIT
// What the minutes of GET /v1/history say: sums over longer steps, and percentiles of histograms.

// Of a step of minutes: {at, minutes, delivered, retried, failed, delay, duration, statuses}; one that has
// nothing is there with zeros, for nothing happened in it. The minute that is not over is left out.
export function steps(history, stepMinutes, now = Date.now()) {
  const buckets = history.buckets_ms.length;
  const step = stepMinutes * 60000;
  const first = Math.floor(Date.parse(history.since) / step) * step;
  const end = Math.min(Date.parse(history.until), now);
  const all = [];
  for (let at = first; at + history.step_s * 1000 <= end; at += step) all.push(empty(at, step, end, buckets));
  for (const minute of history.data) {
    const at = Date.parse(minute.at);
    const place = all[Math.floor((at - first) / step)];
    if (place !== undefined && at + history.step_s * 1000 <= end) add(place, minute);
  }
  return all;
}

function empty(at, step, end, buckets) {
  return {
    at, minutes: Math.max(1, Math.floor((Math.min(at + step, end) - at) / 60000)), delivered: 0, retried: 0, failed: 0,
    delay: new Array(buckets).fill(0), duration: new Array(buckets).fill(0),
    statuses: { "2xx": 0, "3xx": 0, "4xx": 0, "5xx": 0, none: 0 },
  };
}

function add(place, minute) {
  for (const name of ["delivered", "retried", "failed"]) place[name] += Number(minute[name] ?? 0);
  for (const [to, from] of [["delay", "first_attempt_delay"], ["duration", "attempt_duration"]])
    (minute[from] ?? []).forEach((number, i) => { place[to][i] += Number(number); });
  for (const [name, number] of Object.entries(minute.statuses ?? {})) place.statuses[name] += Number(number);
}

export function sum(all) {
  return all.reduce((whole, step) => {
    for (const name of ["delivered", "retried", "failed", "minutes"]) whole[name] += step[name];
    for (const name of ["delay", "duration"]) step[name].forEach((number, i) => { whole[name][i] += number; });
    for (const name of Object.keys(whole.statuses)) whole.statuses[name] += step.statuses[name];
    return whole;
  }, { ...empty(0, 0, 0, all[0]?.delay.length ?? 0), minutes: 0 });
}

// In ms, between the bounds of its bucket in a straight line; null where there is nothing. What is in the
// last bucket, which has no upper bound, is told as its lower one: it is that at least.
export function percentile(counts, bounds, part) {
  const total = counts.reduce((whole, number) => whole + number, 0);
  let left = total * part;
  if (total === 0) return null;
  for (let i = 0; i < counts.length; i++) {
    const low = i === 0 ? 0 : bounds[i - 1];
    if (counts[i] > 0 && left <= counts[i])
      return bounds[i] === null ? low : low + (bounds[i] - low) * (left / counts[i]);
    left -= counts[i];
  }
  return bounds[bounds.length - 2] ?? null;
}
