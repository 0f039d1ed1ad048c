"""The results of the cases as JSON: one entry a case, kept until that case is run again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from benchmarks.cases import CASES, Case
from benchmarks.rounds import Measurement, Runs
from benchmarks.tables import MEASURED, NOT_RUN, Entry, make_markdown


def measured_entry(
    case: Case, measurement: Measurement, scale: float, environment: dict[str, Any]
) -> Entry:
    """What is kept of a case that was measured.

    Whether a target is met is said at full size only; None stands for what can't be said.
    """
    inputs = {path.name: path.stat().st_size for path in case.inputs}
    input_bytes = sum(inputs.values())
    full_size = scale == 1.0
    entry: Entry = {
        "state": MEASURED,
        "title": case.title,
        "kernel": case.kernel,
        "scale": scale,
        "inputs": inputs,
        "input_bytes": input_bytes,
        "embprep": _side(case.ours.name, measurement.ours, input_bytes),
    }
    if case.peer is None:
        seconds = measurement.ours.median
        entry |= {
            "target_seconds": case.target,
            "met": seconds < case.target if full_size else None,
        }
    else:
        ratio = measurement.ratio
        entry |= {
            "peer": _side(case.peer.name, measurement.peer, input_bytes),
            "ratio": ratio,
            "target": case.target,
            "met": ratio >= case.target if full_size else None,
        }
        memory_ratio = measurement.memory_ratio
        entry["memory_ratio"] = memory_ratio
        if case.memory_target is not None:
            entry["memory_target"] = case.memory_target
            entry["memory_met"] = None
            if full_size and memory_ratio is not None:
                entry["memory_met"] = memory_ratio >= case.memory_target
    if measurement.parts:
        entry["parts"] = measurement.parts
    return {**entry, "environment": environment}


def _side(name: str, runs: Runs, input_bytes: int) -> dict[str, Any]:
    return {
        "name": name,
        "seconds": runs.seconds,
        "median_seconds": runs.median,
        "min_seconds": min(runs.seconds),
        "max_seconds": max(runs.seconds),
        "peak_bytes": runs.peak,
        "bytes_per_second": input_bytes / runs.median,
    }


def reason_entry(state: str, reason: str, environment: dict[str, Any]) -> Entry:
    """What is kept of a case that was not run or that failed, so that it can't look passed."""
    return {"state": state, "reason": reason, "environment": environment}


def read_results(path: Path) -> dict[str, Entry]:
    """The entries of an earlier run by case; empty without one."""
    if not path.exists():
        return {}
    cases: dict[str, Entry] = json.loads(path.read_text(encoding="utf-8"))["cases"]
    return cases


def write_results(path: Path, entries: dict[str, Entry]) -> None:
    """Writes the entries, in the order of the table of cases, and their tables beside them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    cases = {name: entries[name] for name in CASES if name in entries}
    path.write_text(json.dumps({"cases": cases}, indent=1) + "\n", encoding="utf-8")
    path.with_suffix(".md").write_text(make_markdown(cases), encoding="utf-8")


def merge(earlier: dict[str, Entry], name: str, entry: Entry) -> dict[str, Entry]:
    """Puts the entry of a case in the place of its earlier one.

    A case that could not be run leaves a measurement of it, which has its own date, as it is.
    """
    kept = earlier.get(name)
    if entry["state"] == NOT_RUN and kept is not None and kept["state"] == MEASURED:
        return earlier
    return {**earlier, name: entry}
