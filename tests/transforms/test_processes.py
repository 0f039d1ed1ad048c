"""Processes by name: whether one has ended, also when it can't be seen from here."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from transforms.processes import PROCESS, has_ended, this_process

SAY = "from transforms.processes import this_process; print(this_process(), flush=True)"


def other(place: int, text: str) -> str:
    """The name of this process with another text in a place of it."""
    parts = this_process().split("-")
    assert parts[place] != text
    parts[place] = text
    return "-".join(parts)


def test_this_process_has_a_name_and_has_not_ended() -> None:
    assert re.fullmatch(PROCESS, this_process())
    assert this_process() == this_process()
    assert has_ended(this_process()) is False


def test_a_process_is_alive_until_it_is_killed(repository: Path) -> None:
    command = [sys.executable, "-c", f"{SAY}; input()"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=repository
    ) as process:
        assert process.stdout
        name = process.stdout.readline().strip()
        assert name != this_process()
        assert has_ended(name) is False
        process.kill()
        process.stdout.read()  # until it is gone, though nobody has asked yet how it ended
        assert _within_a_second(name)
    assert has_ended(name) is True


def _within_a_second(name: str) -> bool:
    until = time.monotonic() + 1
    while not (ended := has_ended(name)) and time.monotonic() < until:
        time.sleep(0.01)
    return bool(ended)


@pytest.mark.skipif(sys.platform != "linux", reason="only there a process tells when it started")
def test_one_whose_id_was_given_to_another_has_ended() -> None:
    assert has_ended(other(4, "1")) is True


def test_those_of_an_earlier_boot_have_ended() -> None:
    assert has_ended(other(1, "0" * 8)) is True


@pytest.mark.parametrize("place", [0, 2])
def test_nothing_is_known_of_another_machine_or_container(place: int) -> None:
    assert has_ended(other(place, "0" * 8)) is None


@pytest.mark.parametrize("name", ["", "12", "../../etc", this_process() + "x"])
def test_nothing_is_known_of_what_is_no_name(name: str) -> None:
    assert has_ended(name) is None
