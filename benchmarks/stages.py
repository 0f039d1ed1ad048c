"""Which stages of a build take how long: ``python -m benchmarks.stages FLAGS``.

Builds as ``embprep build FLAGS`` does, by one worker, and prints a table of the stages that the
local engine ran: Beam fuses several of the job's transforms into one. Beside it stands what is left
of the time of the whole process, from the start of Python to its end but for the exit.
"""

from __future__ import annotations

import os
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

_LEAST_SHARE = 0.02


def main(flags: Sequence[str]) -> int:
    """Builds and prints the table; gives the exit code."""
    from apache_beam.runners.portability.fn_api_runner import FnApiRunner

    from pipeline.main import main as embprep

    seconds: dict[str, float] = defaultdict(float)
    runner: Any = FnApiRunner
    runner._execute_bundle = _timed(FnApiRunner._execute_bundle, seconds)
    code = embprep(["build", *flags, "--direct_num_workers=1"])
    whole = _seconds_since_start()
    rest = whole - sum(seconds.values())
    print(f"\n{'seconds':>8}  {'share':>5}  stage")
    large = {stage: took for stage, took in seconds.items() if took >= _LEAST_SHARE * whole}
    rows = sorted(large.items(), key=lambda item: -item[1])
    rows.append(("smaller stages", sum(seconds.values()) - sum(large.values())))
    rows.append(("imports, making the graph, the rest", rest))
    for stage, took in rows:
        print(f"{took:8.2f}  {took / whole:5.0%}  {stage}")
    print(f"{whole:8.2f}  {1:5.0%}  the whole process")
    return code


def _timed(execute: Callable[..., Any], seconds: dict[str, float]) -> Callable[..., Any]:
    def timed(runner: Any, context: Any, bundle: Any, *arguments: Any) -> Any:
        started = time.perf_counter()
        result = execute(runner, context, bundle, *arguments)
        seconds[_name_of(bundle.stage)] += time.perf_counter() - started
        return result

    return timed


def _name_of(stage: Any) -> str:
    """The transforms of the job that a stage does the work of."""
    names = [transform.unique_name.partition("/")[0] for transform in stage.transforms]
    ours = [name for name in names if name and not name.startswith(("ref_", "_", "Flatten"))]
    return ", ".join(dict.fromkeys(ours)) or "others"


def _seconds_since_start() -> float:
    """Seconds since this process began, by the system's own count."""
    started = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
    uptime = float(Path("/proc/uptime").read_text().split()[0])
    return uptime - started / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
