# SPDX-License-Identifier: MIT
"""Medians, and tables for people."""
import statistics

COLUMNS = [  # figure, heading, format
    ("per_second", "per s", "{:,.0f}"),
    ("worker_cpu_us", "worker µs", "{:.1f}"),
    ("postgres_cpu_us", "postgres µs", "{:.1f}"),
    ("receiver_cpu_us", "receiver µs", "{:.1f}"),
    ("requests", "requests", "{:,.0f}"),
    ("duplicates", "twice", "{:,.0f}"),
    ("connections", "connections", "{:,.0f}"),
    ("wal_bytes", "WAL B", "{:,.0f}"),
    ("peak_memory_mib", "memory MiB", "{:.0f}"),
    ("rows_besides", "rows besides", "{:,.0f}"),
    ("of_allowed", "of allowed", "{:.3f}"),
    ("worker_cpu_percent", "worker %", "{:.2f}"),
    ("serve_cpu_percent", "serve %", "{:.2f}"),
    ("postgres_cpu_percent", "postgres %", "{:.2f}"),
    ("autovacuum_cpu_percent", "autovacuum %", "{:.2f}"),
    ("reads_per_thousand", "reads/1,000", "{:.1f}"),
    ("reads_rows", "rows/read", "{:.0f}"),
    ("successes_per_thousand", "writes/1,000", "{:.1f}"),
    ("successes_rows", "rows/write", "{:.0f}"),
    ("faults", "faults", "{:.2f}"),
    ("p50_ms", "p50 ms", "{:.2f}"),
    ("p99_ms", "p99 ms", "{:.2f}"),
    ("longest_ms", "longest ms", "{:.1f}"),
    ("latest_ms", "latest ms", "{:.1f}"),
    ("longest_before_ms", "before ms", "{:.1f}"),
    ("migrate_s", "migrate s", "{:.1f}"),
]


def medians(runs):
    """{variant: {figure: median of its rounds}}; a round that failed leaves its message only."""
    result = {}
    for name, rounds in runs.items():
        good = [figures for figures in rounds if "failed" not in figures]
        result[name] = {"rounds": len(good)}
        for figure in good[0] if good else []:
            values = [figures[figure] for figures in good]
            result[name][figure] = statistics.median(values) \
                if all(isinstance(value, (int, float)) for value in values) else values[0]
        if good and len(good) > 1 and "per_second" in good[0]:
            rates = [figures["per_second"] for figures in good]
            result[name]["spread"] = round((max(rates) - min(rates)) / max(statistics.median(rates),
                                                                          1), 3)
        if len(good) < len(rounds):
            result[name]["failed"] = [figures["failed"] for figures in rounds
                                      if "failed" in figures]
    return result


def one_line(figures):
    if "failed" in figures:
        return "FAILED: " + figures["failed"].split("\n")[0]
    return ", ".join(f"{heading} {form.format(figures[name])}" for name, heading, form in COLUMNS
                     if figures.get(name) is not None)


def table(rows):
    """Rows of cells, the first one the headings; the first column to the left."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return "\n".join("  ".join(cell.ljust(width) if column == 0 else cell.rjust(width)
                               for column, (cell, width) in enumerate(zip(row, widths))).rstrip()
                     for row in rows)


def _figures_table(medians_):
    used = [column for column in COLUMNS
            if any(column[0] in figures for figures in medians_.values())]
    rows = [["", *(heading for _, heading, _ in used)]]
    for name, figures in medians_.items():
        cells = ["" if figures.get(figure) is None else form.format(figures[figure])
                 for figure, _, form in used]
        if figures["rounds"] == 0:
            cells[0] = "FAILED"
        rows.append([name, *cells])
    return table(rows)


def _targets_table(targets):
    rows = [["target", "wanted", "measured", ""]]
    rows += [[each["target"], each["wanted"], each["measured"], each["verdict"]]
             for each in targets]
    return table(rows)


def render(result):
    machine, versions = result["machine"], result["versions"]
    lines = [
        f"{machine['cpu']}, {machine['cores']} cores, {machine['memory_gib']} GiB,"
        f" {machine['system']}, Linux {machine['kernel']}; load {machine['load_before']} before",
        ", ".join(f"{name} {version}" for name, version in versions.items() if version),
        "", _figures_table(result["medians"]), "", _targets_table(result["targets"])]
    failed = {name: figures["failed"] for name, figures in result["medians"].items()
              if "failed" in figures}
    for name, messages in failed.items():
        lines += ["", f"{name} failed in {len(messages)} rounds: {messages[0]}"]
    return "\n".join(lines)
