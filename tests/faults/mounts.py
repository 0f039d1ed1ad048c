"""File systems of a process of its own: small ones, and ones that can't be written.

Mounting needs rights that a user has in namespaces of their own; nobody else sees what is mounted
there. This process reaches it through ``/proc/PID/root``.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path


class Mounts:
    """Holds the namespaces until it is closed.

    Raises:
        AssertionError: the kernel doesn't let this user make such namespaces.
    """

    def __init__(self) -> None:
        may = subprocess.run(["unshare", "--mount", "true"], capture_output=True).returncode == 0
        own_user = [] if may else ["--user", "--map-root-user"]
        self._shell = subprocess.Popen(
            ["unshare", *own_user, "--mount", "sh"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.run("true")

    def run(self, command: str) -> None:
        """Runs a command of the shell in there."""
        assert self._shell.stdin
        assert self._shell.stdout
        try:
            self._shell.stdin.write(f"{command}; echo; echo ended $?\n")
            self._shell.stdin.flush()
        except BrokenPipeError:
            pass  # what it said tells why
        said = []
        for line in self._shell.stdout:
            if line.startswith("ended "):
                assert line == "ended 0\n", said
                return
            said.append(line)
        raise AssertionError(f"no mount namespace: {said}")

    def path(self, place: Path) -> Path:
        """Where this process finds what in there is at a place."""
        return Path(f"/proc/{self._shell.pid}/root{place}")

    def small_disk(self, place: Path, size: str, files: int = 1000) -> Path:
        """Mounts a file system of a size at a folder; gives where this process finds it."""
        place.mkdir()
        self.run(f"mount -t tmpfs -o size={size},nr_inodes={files} tmpfs {place}")
        return self.path(place)

    def close(self) -> None:
        """Lets go of all; the kernel unmounts it."""
        self._shell.kill()
        self._shell.communicate()


def free_bytes(folder: Path) -> int:
    found = os.statvfs(folder)
    return found.f_bavail * found.f_bsize


def fill(folder: Path, leave: int) -> Path:
    """Fills a disk but for some bytes; gives the file that does it."""
    filler = folder / "filler"
    with open(filler, "wb") as file:
        file.write(bytes(max(free_bytes(folder) - leave, 0)))
    return filler
