"""Where the seconds of a small build go: ``python -m benchmarks.fixed_cost BUILD_FLAG ...``.

Runs ``embprep build`` in this process, with clocks around its parts, and prints as its last line
the seconds of all of it and of each part, as JSON.
"""

from __future__ import annotations

import importlib
import json
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

# Functions of pipeline.build, and the part of the work that each is.
_PARTS = {
    "plan_corpora": "planning",
    "plan_build": "planning",
    "make_pipeline": "construction",
    "add_build": "construction",
    "run_pipeline": "engine run",
}


def main(arguments: Sequence[str]) -> int:
    """Builds, and prints what took how long; gives the exit code of the build."""
    started = time.perf_counter()
    command = importlib.import_module("pipeline.main")
    build = importlib.import_module("pipeline.build")
    parts = {"imports": time.perf_counter() - started}
    for function, part in _PARTS.items():
        setattr(build, function, _timed(getattr(build, function), part, parts))
    code = int(command.main(["build", *arguments]))
    seconds = time.perf_counter() - started
    parts["rest"] = seconds - sum(parts.values())
    print(json.dumps({"seconds": seconds, "parts": parts}))
    return code


def _timed(function: Callable[..., Any], part: str, parts: dict[str, float]) -> Callable[..., Any]:
    def run(*arguments: Any, **named: Any) -> Any:
        started = time.perf_counter()
        try:
            return function(*arguments, **named)
        finally:
            parts[part] = parts.get(part, 0.0) + time.perf_counter() - started

    return run


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
