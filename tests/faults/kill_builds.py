"""Kills builds at moments of their work, and lets another one follow each.

``python -m tests.faults.kill_builds SETTINGS``, in a session of its own; SETTINGS is JSON. The
builds are forks of this process, which has nothing left to import, so that the moments fall into
their work. Prints a line of JSON for each killed build: what was found after it, and after the
build that followed.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
from pathlib import Path

import pipeline.build
import pipeline.flags
import pipeline.report  # noqa: F401  (so that no build has to)
from pipeline.main import main
from tests.faults.job import at_work, not_published, problems, processes_of, run_in_force, wait_for


def start(arguments: list[str]) -> int:
    process = os.fork()
    if process == 0:
        quiet = os.open(os.devnull, os.O_WRONLY)
        os.dup2(quiet, 1)
        os.dup2(quiet, 2)
        os._exit(main(arguments))
    return process


def wait(process: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


def kill_builds(
    arguments: list[str], flags: list[str], output: Path, kills: int, seconds: float, seed: int
) -> None:
    """Kills builds with some flags, which take some seconds; builds without them follow."""
    temporary = Path(os.environ["TMPDIR"])
    draw = random.Random(seed)
    assert wait(start([*arguments, "--run_id=whole"])) == 0
    previous = "whole"
    for number in range(kills):
        run, following = f"killed{number}", f"following{number}"
        # Every second one from when it has begun to write, however slow the machine is just then.
        late = number % 2
        moment = seconds * (number + draw.random()) / kills / (1 + 2 * late)
        while (code := kill([*arguments, *flags], output, run, late, moment)) == 0:
            # It was done before. The next one has another name, since this one is in force.
            previous, run, moment = run, f"{run}.", moment * 0.8
        found = {
            "exit": code,
            "left": sorted(not_published(output)),
            "problems": problems(output),
            "in force": [previous, run, run_in_force(output)],
        }
        found["exit after"] = wait(start([*arguments, f"--run_id={following}"]))
        found["workers"] = not wait_for(lambda: not processes_of(os.getpid()), 5)
        found["left after"] = sorted(not_published(output))
        found["left in the temporary folder"] = os.listdir(temporary)
        found["problems after"] = problems(output)
        found["in force after"] = [following, run_in_force(output)]
        previous = following
        print(json.dumps(found), flush=True)


def kill(arguments: list[str], output: Path, run: str, late: int, moment: float) -> int:
    """Kills a build some seconds after it began, or after it began to write; gives how it ended."""
    process = start([*arguments, f"--run_id={run}"])
    assert not late or wait_for(lambda: at_work(output, run), 20)
    time.sleep(moment)
    os.kill(process, signal.SIGKILL)
    return wait(process)


if __name__ == "__main__":
    settings = json.loads(sys.argv[1])
    kill_builds(**settings | {"output": Path(settings["output"])})
