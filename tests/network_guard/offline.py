"""Runs a command where the kernel knows no network but the loopback: ``offline.py COMMAND ...``.

Linux only, and only where the user may make a network namespace; elsewhere it says so and
runs the command as it is. Unlike the audit hook, this holds for every process that the
command starts and for sockets that a C library opens.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import socket
import struct
import sys
from collections.abc import Sequence
from pathlib import Path

# From the Linux headers sched.h, sockios.h and if.h.
CLONE_NEWUSER = 0x10000000
CLONE_NEWNET = 0x40000000
SIOCSIFFLAGS = 0x8914
IFF_UP = 1

# Tells the tests that they run in such a namespace.
MARK = "EMBPREP_TESTS_WITHOUT_NETWORK"


def _unshare(flags: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(flags) != 0:
        raise OSError(ctypes.get_errno(), "unshare")


def _leave_network() -> None:
    user, group = os.getuid(), os.getgid()
    try:
        _unshare(CLONE_NEWNET)
    except OSError:
        # Without the right to do it, an own user namespace, with the same ids in it, gives it.
        _unshare(CLONE_NEWUSER | CLONE_NEWNET)
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
        Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, SIOCSIFFLAGS, struct.pack("16sH22x", b"lo", IFF_UP))


def _can_leave_network() -> bool:
    """Tries it in a child, since half of it can't be undone."""
    if sys.platform != "linux":
        return False
    child = os.fork()
    if child == 0:
        try:
            _leave_network()
        except OSError:
            os._exit(1)
        os._exit(0)
    return os.waitpid(child, 0)[1] == 0


def main(command: Sequence[str]) -> None:
    """Replaces this process by the command."""
    if _can_leave_network():
        _leave_network()
        os.environ[MARK] = "1"
    else:
        print(
            "offline.py: no network namespace to be had here; Python's own sockets stay guarded",
            file=sys.stderr,
        )
    os.execvp(command[0], command)


if __name__ == "__main__":
    main(sys.argv[1:])
