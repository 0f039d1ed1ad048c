"""The speed benchmarks: ``python -m benchmarks [--quick] [--cases NAME,...] [flags]``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.cases import CASES, OF_ITS_OWN_ENVIRONMENT, NotRunError, Setting, make_case
from benchmarks.checks import MismatchError
from benchmarks.environment import describe_environment
from benchmarks.measure import ProgramError
from benchmarks.results import measured_entry, merge, read_results, reason_entry, write_results
from benchmarks.rounds import measure
from benchmarks.tables import FAILED, NOT_RUN, Entry, speed_table
from formats.errors import EmbprepError

_QUICK_FOLDER = Path("output/benchmarks-quick")
_QUICK: dict[str, Any] = {
    "scale": 0.01,
    "rounds": 1,
    "warmups": 0,
    "data": _QUICK_FOLDER,
    "results": _QUICK_FOLDER,
    "cases": [name for name in CASES if name not in OF_ITS_OWN_ENVIRONMENT],
}
_FULL: dict[str, Any] = {
    "scale": 1.0,
    "rounds": 5,
    "warmups": 1,
    "data": Path("output/benchmarks"),
    "results": Path("benchmarks"),
    "cases": list(CASES),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs cases; gives the exit code: 1 if a program failed or two results differ, else 0."""
    flags = _parse(arguments)
    setting = Setting(flags.data.resolve(), flags.scale, flags.tft_python)
    environment = describe_environment(flags.tft_python)
    path = flags.results / "results.json"
    results = {} if flags.quick else read_results(path)
    now: dict[str, Entry] = {}
    for name in flags.cases:
        print(f"{name}", flush=True)
        now[name] = entry = _entry(name, setting, flags.rounds, flags.warmups, environment)
        if "reason" in entry:
            print(f"  {entry['state']}: {entry['reason']}", flush=True)
        # After each case, so that a long suite that is cut short leaves what it has.
        results = merge(results, name, entry)
        write_results(path, results)
    print(f"\n{speed_table(now)}\n\nAll results: {path.with_suffix('.md')}")
    return 1 if any(entry["state"] == FAILED for entry in now.values()) else 0


def _entry(
    name: str, setting: Setting, rounds: int, warmups: int, environment: dict[str, Any]
) -> Entry:
    try:
        case = make_case(name, setting)
        measurement = measure(case, rounds, warmups)
    except NotRunError as error:
        return reason_entry(NOT_RUN, str(error), environment)
    except (ProgramError, MismatchError, EmbprepError, OSError) as error:
        return reason_entry(FAILED, str(error), environment)
    return measured_entry(case, measurement, setting.scale, environment)


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measures embprep against other programs that do the same, side by side.",
        epilog=f"Cases: {', '.join(CASES)}.",
        argument_default=argparse.SUPPRESS,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--quick", action="store_true", default=False, help="small sizes, one round, no claims: "
        f"whether all of it works, in {_QUICK_FOLDER}")  # fmt: skip
    add("--cases", type=_cases, metavar="NAME[,NAME...]", help="only these; all")
    add("--rounds", type=int, help="measured runs of each side; 5")
    add("--warmups", type=int, help="runs before them that do not count; 1")
    add("--scale", type=float, help="what the rows and lines of the inputs are multiplied by; 1")
    add("--data", type=Path, metavar="FOLDER", help="where the inputs are kept, some 12 GB; "
        "output/benchmarks")  # fmt: skip
    add("--results", type=Path, metavar="FOLDER", help="where results.json and results.md are; "
        "benchmarks")  # fmt: skip
    add("--tft_python", metavar="PATH", help="the Python of an environment that has "
        "tensorflow-transform, for corpus-tft; see docs/development.md")  # fmt: skip
    given = parser.parse_args(arguments)
    defaults = {"tft_python": None, **(_QUICK if given.quick else _FULL)}
    flags = argparse.Namespace(**{**defaults, **vars(given)})
    if flags.rounds < 1 or flags.warmups < 0 or flags.scale <= 0:
        parser.error("--rounds must be 1 or more, --warmups 0 or more, --scale above 0")
    return flags


def _cases(text: str) -> list[str]:
    names = text.split(",")
    for name in names:
        if name not in CASES:
            raise argparse.ArgumentTypeError(f"{name} is no case; they are {', '.join(CASES)}")
    return names


if __name__ == "__main__":
    sys.exit(main())
