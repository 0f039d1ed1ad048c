"""A file while it is written: its size, its hash, and errors that name it and say what to do."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import io
import os
import shutil
from collections.abc import Iterator
from typing import BinaryIO, cast

from formats.errors import StorageError


class FileBeingWritten(io.RawIOBase):
    """Counts and hashes what is written to a file.

    Args:
        file: takes the bytes.
        name: what errors call the file.
        folder: where the bytes are written on this machine.
    """

    def __init__(self, file: BinaryIO, name: str, folder: str) -> None:
        self._file = file
        self._name = name
        self._folder = folder
        self._sha256 = hashlib.sha256()
        self.size = 0

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        view = memoryview(cast(bytes, data)).cast("B")
        with self.naming_errors(more=len(view)):
            self._file.write(view)
        self._sha256.update(view)
        self.size += len(view)
        return len(view)

    @contextlib.contextmanager
    def naming_errors(self, more: int = 0) -> Iterator[None]:
        """Lets an error of the system name the file, and say what to do.

        Args:
            more: how many bytes are being written.

        Raises:
            StorageError: instead of the error.
        """
        try:
            yield
        except OSError as error:
            reason = error.strerror or str(error)
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                reason += (
                    f", after {self.size:,} bytes of it, with {more:,} more to write"
                    f"{_free(self._folder)}; make room there, or write to another place"
                )
            raise StorageError(f"{self._name}: can't be written: {reason}") from error

    @property
    def stream(self) -> BinaryIO:
        """This file as the type that writers of formats take."""
        return cast(BinaryIO, self)

    @property
    def sha256(self) -> str:
        """Hash of all bytes so far, in hexadecimal."""
        return self._sha256.hexdigest()


@contextlib.contextmanager
def naming_errors(name: str, folder: str | None = None) -> Iterator[None]:
    """The same as ``FileBeingWritten.naming_errors``, while there is no such file.

    Args:
        name: what errors call the file.
        folder: where it is to be written on this machine; that of the name if not given.
    """
    folder = os.path.dirname(name) if folder is None else folder
    with FileBeingWritten(io.BytesIO(), name, folder).naming_errors():
        yield


def _free(folder: str) -> str:
    with contextlib.suppress(OSError):
        return f" and {shutil.disk_usage(folder or '.').free:,} free"
    return ""
