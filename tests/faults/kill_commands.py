"""Kills commands that write files at moments of their work, and lets each be run again.

``python -m tests.faults.kill_commands SETTINGS``; SETTINGS is JSON. The commands are forks of this
process, as in ``kill_builds``; it imports before what they need. Prints a line of JSON for each
killed command: what was found after it, and after the one that followed.
"""

from __future__ import annotations

import importlib
import json
import os
import random
import signal
import sys
import time
from pathlib import Path

from tests.faults.kill_builds import start, wait

Contents = dict[str, bytes]


def contents(folder: Path) -> Contents:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def run(command: list[str], folder: Path) -> Contents:
    """What a command that ends well leaves in an empty folder."""
    folder.mkdir()
    assert wait(start([*command, f"--output={folder / 'out.bin'}"])) == 0
    return contents(folder)


def kill_commands(
    earlier: list[str],
    command: list[str],
    folder: Path,
    kills: int,
    seconds: float,
    seed: int,
    signs: list[str],
) -> None:
    """Kills a command, which takes some seconds, as it replaces the files of an earlier one."""
    draw = random.Random(seed)
    before, whole = run(earlier, folder / "earlier"), run(command, folder / "whole")
    assert before.keys() == whole.keys()
    assert not {*before.values()} & {*whole.values()}
    place = folder / "killed"
    command = [*command, f"--output={place / 'out.bin'}"]
    for number in range(kills):
        # Every second one at once when it has done something.
        sign = signs[number // 2 % len(signs)] if number % 2 else None
        moment = 0 if sign else seconds * (number + draw.random()) / kills
        while (code := kill(command, before, place, sign, moment)) == 0:
            moment *= 0.7  # it was done before
        found = {"exit": code, "files": state(place, before, whole), "left": left(place, whole)}
        found["exit after"] = wait(start(command))
        found["files after"] = state(place, before, whole)
        found["left after"] = left(place, whole)
        found["left in the temporary folder"] = os.listdir(os.environ["TMPDIR"])
        print(json.dumps(found), flush=True)


def kill(command: list[str], before: Contents, place: Path, sign: str | None, moment: float) -> int:
    """Kills a command some seconds after it began, or after a file of some name is new."""
    place.mkdir(exist_ok=True)
    for name, data in before.items():
        (place / name).write_bytes(data)
    known = {path.stat().st_ino for path in place.iterdir()}
    process = start(command)
    while sign and {path.stat().st_ino for path in place.glob(sign)} <= known:
        ended, code = os.waitpid(process, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(code)
        time.sleep(0.001)
    time.sleep(moment)
    os.kill(process, signal.SIGKILL)
    return wait(process)


def state(place: Path, before: Contents, whole: Contents) -> dict[str, str]:
    """Whether each file is that of the earlier command, that of the command, or neither."""
    known = {"before": before, "whole": whole}
    return {
        name: next(
            (it for it in known if known[it][name] == (place / name).read_bytes()), "neither"
        )
        for name in whole
    }


def left(place: Path, whole: Contents) -> list[str]:
    return sorted({path.name for path in place.iterdir()} - whole.keys())


if __name__ == "__main__":
    settings = json.loads(sys.argv[1])
    for module in settings.pop("modules"):
        importlib.import_module(module)
    kill_commands(**settings | {"folder": Path(settings["folder"])})
