"""Names of processes, by which others can tell later whether they have ended.

What a process leaves behind when it is killed carries its name, so that whoever finds it knows
whether it is still wanted. No clock is asked, and nothing needs to be renewed while the process
works.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import platform
import re
import uuid
from pathlib import Path
from typing import NamedTuple

# Regular expression of a name.
PROCESS = "(?:[0-9a-f]{8}-){3}[0-9]+-[0-9]+"


class _Place(NamedTuple):
    """Where a process id means something: a machine, one of its boots, a space of ids of it."""

    machine: str
    boot: str
    space: str


def this_process() -> str:
    """The name of this process, of characters that can stand in the name of a file."""
    return _name_of(os.getpid())


@functools.cache
def _name_of(pid: int) -> str:
    # By its id, as a fork is another process.
    _, start = _state_and_start(pid) or ("", 0)
    return "-".join([*_place(), str(pid), str(start)])


def has_ended(name: str) -> bool | None:
    """Whether a process has ended; None if that can't be told from here.

    It can be told on the machine of the process, also after another boot, but not from another
    container. A process whose id was given to another one has ended; where the system doesn't
    say when a process started, that one is taken for it.

    Args:
        name: what ``this_process`` gave it.
    """
    if not re.fullmatch(PROCESS, name):
        return None
    *place, pid, start = name.split("-")
    there, here = _Place(*place), _place()
    if there.machine != here.machine:
        return None
    if there.boot != here.boot:
        return True
    if there.space != here.space:
        return None
    return _is_gone(int(pid), int(start))


def _is_gone(pid: int, start: int) -> bool | None:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        pass  # there is one, of another user
    found = _state_and_start(pid)
    if found is None:
        # Hidden from us; or gone just now, which will be seen the next time.
        return None if start else False
    state, found_start = found
    return state in "ZX" or found_start != start


def _state_and_start(pid: int) -> tuple[str, int] | None:
    """State and start of a process, in ticks since the boot; None where there is no /proc."""
    stat = _read(f"/proc/{pid}/stat")
    if not stat:
        return None
    # The name before may hold anything, parentheses too.
    fields = stat.rpartition(")")[2].split()
    return fields[0], int(fields[19])


def _place() -> _Place:
    boot = _read("/proc/sys/kernel/random/boot_id")
    # A machine's own name is often that of others, too. Without an id, it is another one after
    # each boot; uuid.getnode gives each process another when it finds none.
    machine = _read("/etc/machine-id") or boot or str(uuid.getnode())
    space = ""
    with contextlib.suppress(OSError):
        space = os.readlink("/proc/self/ns/pid")
    return _Place(_digest(machine, platform.node()), _digest(boot), _digest(space))


def _read(path: str) -> str:
    with contextlib.suppress(OSError):
        return Path(path).read_text().strip()
    return ""


def _digest(*texts: str) -> str:
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()[:8]
