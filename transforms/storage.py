"""Files by URI, through Beam's FileSystems; every other module opens and creates files here."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import shutil
import uuid
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple, cast

from apache_beam.io.filesystem import BeamIOError, CompressionTypes
from apache_beam.io.filesystems import FileSystems

from formats.errors import UsageError

# How the name of a local file ends while it is written.
_PARTIAL = ".partial"
_RAW = CompressionTypes.UNCOMPRESSED


class StoredFile(NamedTuple):
    """A file that was found by a pattern."""

    uri: str
    size: int


def open_file(uri: str) -> BinaryIO:
    """Opens the raw bytes of a file for reading; nothing is decompressed."""
    check_scheme(uri)
    return FileSystems.open(uri, compression_type=_RAW)


def read_file(uri: str) -> bytes:
    """Reads a whole small file."""
    with open_file(uri) as stream:
        return stream.read()


def join(directory: str, *names: str) -> str:
    """Joins a directory and names below it, local or remote."""
    return "/".join([directory.rstrip("/") or "/", *names])


def is_local(uri: str) -> bool:
    """Whether a URI is a plain path of this machine."""
    return FileSystems.get_scheme(uri) is None


def check_scheme(uri: str) -> None:
    """Checks that Beam has a file system for a URI.

    Raises:
        UsageError: it has none, or the package that it needs is not installed.
    """
    try:
        FileSystems.get_filesystem(uri)
    except ValueError as error:
        raise UsageError(
            f"{uri}: Beam knows no file system for {FileSystems.get_scheme(uri)}://; for gs:// "
            "install embprep[gcp], for others the extra of apache-beam that brings it"
        ) from error


def exists(uri: str) -> bool:
    """Whether there is a file at a URI."""
    check_scheme(uri)
    return bool(FileSystems.exists(uri))


def match_files(pattern: str) -> list[StoredFile]:
    """The file of this name, all files below a directory, or those a glob matches, sorted.

    Raises:
        UsageError: Beam has no file system for the pattern.
    """
    check_scheme(pattern)
    return sorted(_match_local(pattern) if is_local(pattern) else _match_remote(pattern))


def _match_local(pattern: str) -> list[StoredFile]:
    if not pattern:
        return []
    # What is there by this very name comes before what the name means as a glob.
    if os.path.isfile(pattern):
        return [StoredFile(pattern, os.path.getsize(pattern))]
    if os.path.isdir(pattern):
        below = (join(top, name) for top, _, names in os.walk(pattern) for name in names)
        return [StoredFile(path, os.path.getsize(path)) for path in below if os.path.isfile(path)]
    # Beam finds nothing by a relative glob without a directory.
    here = "" if os.path.isabs(pattern) else "./"
    return [StoredFile(file.uri.removeprefix(here), file.size) for file in _match(here + pattern)]


def _match_remote(pattern: str) -> list[StoredFile]:
    return _match(pattern) or _match(join(pattern, "**"))


def _match(pattern: str) -> list[StoredFile]:
    try:
        [result] = FileSystems.match([pattern])
    except BeamIOError:
        return []
    return [StoredFile(entry.path, entry.size_in_bytes) for entry in result.metadata_list]


def delete(uri: str) -> None:
    """Deletes a file, or a directory with all below it, if it is there."""
    if not is_local(uri):
        with contextlib.suppress(BeamIOError):
            FileSystems.delete([uri])
    elif os.path.isdir(uri):
        shutil.rmtree(uri, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            os.remove(uri)


def delete_partial_files(directory: str) -> None:
    """Deletes what is left of files that a worker was writing when it was killed."""
    if is_local(directory):
        for file in match_files(directory):
            if file.uri.endswith(_PARTIAL):
                delete(file.uri)


class FileBeingWritten(io.RawIOBase):
    """Counts and hashes what is written to a file."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._sha256 = hashlib.sha256()
        self.size = 0

    def writable(self) -> bool:
        return True

    def write(self, data: object) -> int:
        view = memoryview(cast(bytes, data)).cast("B")
        self._file.write(view)
        self._sha256.update(view)
        self.size += len(view)
        return len(view)

    @property
    def stream(self) -> BinaryIO:
        """This file as the type that writers of formats take."""
        return cast(BinaryIO, self)

    @property
    def sha256(self) -> str:
        """Hash of all bytes so far, in hexadecimal."""
        return self._sha256.hexdigest()


@contextlib.contextmanager
def create_file(uri: str) -> Iterator[FileBeingWritten]:
    """Creates a file that is there whole when the block ends, or not at all.

    A local file is written beside its place, flushed to disk and moved there, which replaces
    what stands there in one step. Object stores show an object when its upload is complete.
    """
    local = is_local(uri)
    place = f"{uri}.{uuid.uuid4().hex}{_PARTIAL}" if local else uri
    try:
        with FileSystems.create(place, compression_type=_RAW) as file:
            yield FileBeingWritten(file)
            if local:
                file.flush()
                os.fsync(file.fileno())
        if local:
            os.replace(place, uri)
    except BaseException:
        if local:
            delete(place)
        raise
