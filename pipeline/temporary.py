"""The temporary files of a command, which don't outlive it for long, even if it is killed."""

from __future__ import annotations

import atexit
import contextlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator

from formats.errors import UsageError
from transforms.processes import PROCESS, has_ended, this_process

_NAME = re.compile(rf"embprep-({PROCESS})-.*")

_folders: list[str] = []


@contextlib.contextmanager
def temporary_files() -> Iterator[None]:
    """Keeps all temporary files, also those of Beam, in one folder.

    It is deleted when the process ends, or before if nothing is left in it.

    Those of commands that were killed are deleted before.

    Raises:
        UsageError: there is no place for them.
    """
    before, variable = tempfile.tempdir, os.environ.get("TMPDIR")
    try:
        _delete_of_ended(tempfile.gettempdir())
        folder = tempfile.mkdtemp(prefix=f"embprep-{this_process()}-")
    except OSError as error:
        raise UsageError(
            f"no temporary folder can be made: {error.strerror}; set TMPDIR to a place with room"
        ) from error
    # What Beam does at the exit, with files of its own, comes before what was registered before it.
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    _folders.append(folder)
    # The variable is for processes that work for this one.
    tempfile.tempdir = os.environ["TMPDIR"] = folder
    try:
        yield
    finally:
        tempfile.tempdir = before
        if variable is None:
            del os.environ["TMPDIR"]
        else:
            os.environ["TMPDIR"] = variable
        with contextlib.suppress(OSError):  # there are still files in it
            os.rmdir(folder)


def _delete_of_ended(place: str) -> None:
    for name in os.listdir(place):
        found = _NAME.fullmatch(name)
        if found and has_ended(found[1]):
            shutil.rmtree(os.path.join(place, name), ignore_errors=True)


def delete_temporary_files() -> None:
    """Deletes the folder now, since the process is about to end at once."""
    for folder in _folders:
        shutil.rmtree(folder, ignore_errors=True)
