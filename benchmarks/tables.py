"""The results as Markdown."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

MEASURED, NOT_RUN, FAILED = "measured", "not run", "failed"

Entry = dict[str, Any]
"""What is kept of a case, as JSON: ``benchmarks.results`` makes it."""

_NOTES = """\
Made by `python -m benchmarks`; only the ratios mean something on another machine. Both sides of a
case ran in alternation on one machine. Seconds are medians, with the least and the most in
brackets: of whole processes, interpreter start, imports and child processes included, or, for
cases called *kernel* below, of the work inside of one process after its imports. A ratio says how
many times as long, or how many times the memory, the peer took: for seconds the median of the
ratios of the rounds. Memory is the sum of the peaks of all processes of a run, an upper bound, and
the most of all rounds. MB are 10^6 bytes."""


def make_markdown(entries: Mapping[str, Entry]) -> str:
    """The page of some results, by case."""
    measured = {name: entry for name, entry in entries.items() if entry["state"] == MEASURED}
    sections = ["# Benchmark results", _NOTES, speed_table(entries)]
    if measured:
        sections += ["## Memory and throughput", _memory_table(measured)]
        sections += [_parts_table(entry) for entry in measured.values() if "parts" in entry]
        sections += ["## Cases", "\n".join(map(_description, measured, measured.values()))]
        sections += ["## Measured with", "\n".join(_environments(measured))]
    return "\n\n".join(sections) + "\n"


def speed_table(entries: Mapping[str, Entry]) -> str:
    """One row a case: seconds, ratio, target, and whether it is met."""
    head = ("case", "embprep s", "peer s", "ratio", "target", "met")
    return _table(head, (_speed_row(name, entry) for name, entry in entries.items()))


def _speed_row(name: str, entry: Entry) -> list[str]:
    if entry["state"] != MEASURED:
        return [name, "", "", "", "", f"{entry['state']}: {entry['reason'].splitlines()[0]}"]
    met = _met(entry["met"], entry["scale"])
    if "peer" not in entry:
        target = f"under {entry['target_seconds']:g} s"
        return [name, _seconds(entry["embprep"]), "", "", target, met]
    sides = (_seconds(entry[side]) for side in ("embprep", "peer"))
    return [name, *sides, _ratio(entry["ratio"]), f"{entry['target']:g}", met]


def _memory_table(measured: Mapping[str, Entry]) -> str:
    head = ("case", "embprep MB", "peer MB", "ratio", "target", "met", "embprep MB/s", "peer MB/s")
    return _table(head, (_memory_row(name, entry) for name, entry in measured.items()))


def _memory_row(name: str, entry: Entry) -> list[str]:
    sides = [entry[side] for side in ("embprep", "peer") if side in entry]
    blank = [""] * (2 - len(sides))
    memory = [_megabytes(side["peak_bytes"]) for side in sides]
    speed = [f"{side['bytes_per_second'] / 1e6:,.1f}" for side in sides]
    ratio, target, met = entry.get("memory_ratio"), entry.get("memory_target"), ""
    if target is not None:
        met = _met(entry["memory_met"], entry["scale"])
    return [
        name, *memory, *blank, "" if ratio is None else _ratio(ratio),
        "" if target is None else f"{target:g}", met, *speed, *blank,
    ]  # fmt: skip


def _parts_table(entry: Entry) -> str:
    rows = [[part, f"{statistics.median(seconds):.2f}"] for part, seconds in entry["parts"].items()]
    return f"## Where the time goes: {entry['title']}\n\n{_table(('part', 'seconds'), rows)}"


def _description(name: str, entry: Entry) -> str:
    peer = f"; peer: {entry['peer']['name']}" if "peer" in entry else ""
    kernel = " (kernel)" if entry["kernel"] else ""
    rounds = len(entry["embprep"]["seconds"])
    size = f"{entry['input_bytes'] / 1e6:,.1f} MB of input"
    return f"- `{name}`{kernel}: {entry['title']}{peer}; {size}, {rounds} rounds."


def _environments(measured: Mapping[str, Entry]) -> list[str]:
    """One line for each machine, set of versions and day, with the cases that it is of."""
    names: dict[str, list[str]] = {}
    for name, entry in measured.items():
        environment = entry["environment"]
        machine = environment["machine"]
        versions = ", ".join(f"{key} {value}" for key, value in environment["versions"].items())
        line = (
            f"{machine['cpu']}, {machine['cores']} cores, {machine['memory_bytes'] / 1e9:.0f} GB, "
            f"{machine['system']}; {versions}; {environment['date']}"
        )
        if entry["scale"] != 1:
            line += f"; sizes x {entry['scale']:g}"
        names.setdefault(line, []).append(f"`{name}`")
    if len(names) == 1:
        return [f"- {line}." for line in names]
    return [f"- {', '.join(cases)}: {line}." for line, cases in names.items()]


def _met(met: bool | None, scale: float) -> str:
    if met is None:
        return "" if scale == 1 else f"sizes x {scale:g}"
    return "yes" if met else "no"


def _seconds(side: Mapping[str, Any]) -> str:
    median, least, most = (side[f"{name}_seconds"] for name in ("median", "min", "max"))
    return f"{median:.2f} ({least:.2f}-{most:.2f})"


def _ratio(ratio: float) -> str:
    return f"{ratio:.2f}"


def _megabytes(size: int | None) -> str:
    return "not measured" if size is None else f"{size / 1e6:,.0f}"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
