"""What stands in the file that says of a run that it is at work."""

from __future__ import annotations

import datetime
from typing import Any

from pipeline.runs import LOCAL
from transforms.processes import this_process

HERE = this_process()
NOW = datetime.datetime.now(datetime.timezone.utc)


def process_with(place: int, text: str) -> str:
    """The name of this process with another part."""
    parts = HERE.split("-")
    parts[place] = text
    return "-".join(parts)


GONE = process_with(4, "1")
ELSEWHERE = process_with(0, "0" * 8)


def marker(**values: Any) -> dict[str, Any]:
    """Of a run whose process, by default, was on this machine and has ended."""
    known = {
        "started": NOW.isoformat(timespec="seconds"),
        "host": "somewhere",
        "process": GONE,
        "engine": LOCAL,
        "failed": False,
    }
    return known | values
