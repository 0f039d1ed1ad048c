"""Files by URI; every other module finds, opens and creates files here.

Local files and those of Beam's other file systems (``hdfs://``, ``abfs://``, ...) go through Beam,
the objects of S3 and Google Cloud Storage through ``transforms.object_store``.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import io
import os
import re
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from typing import BinaryIO, cast

from apache_beam.io.filesystem import BeamIOError, CompressionTypes, FileSystem
from apache_beam.io.filesystems import FileSystems
from apache_beam.options.pipeline_options import PipelineOptions

from formats.errors import UsageError
from transforms.object_store import ObjectStore, StoredFile, find_store
from transforms.ranged_file import RangedFile

_RAW = CompressionTypes.UNCOMPRESSED
_GLOB = re.compile(r"[*?\[]")


def use_options(options: PipelineOptions) -> None:
    """Lets this process reach remote files as the options say; Beam tells its workers."""
    FileSystems.set_options(options)


def open_file(uri: str) -> BinaryIO:
    """Opens the raw bytes of a file for reading; nothing is decompressed.

    An object of a store is read by requests for ranges of its bytes.
    """
    if store := find_store(uri):
        size, version = store.facts(uri)
        return cast(BinaryIO, RangedFile(functools.partial(store.read, uri, version), size))
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
    if find_store(uri):
        return
    try:
        FileSystems.get_filesystem(uri)
    except ValueError as error:
        raise UsageError(
            f"{uri}: Beam knows no file system for {FileSystems.get_scheme(uri)}://; install the "
            "extra of apache-beam that brings it"
        ) from error


def exists(uri: str) -> bool:
    """Whether there is a file at a URI."""
    if store := find_store(uri):
        try:
            store.facts(uri)
        except FileNotFoundError:
            return False
        return True
    check_scheme(uri)
    return bool(FileSystems.exists(uri))


def match_files(pattern: str) -> list[StoredFile]:
    """The file of this name, all files below a directory, or those a glob matches, sorted.

    Raises:
        UsageError: Beam has no file system for the pattern.
        OSError: a store could not be asked.
    """
    if store := find_store(pattern):
        return sorted(_match_objects(store, pattern))
    check_scheme(pattern)
    return sorted(_match_local(pattern) if is_local(pattern) else _match_remote(pattern))


def _match_objects(store: ObjectStore, pattern: str) -> list[StoredFile]:
    # The same order as with local files.
    with contextlib.suppress(FileNotFoundError):
        if not pattern.endswith("/"):
            return [StoredFile(pattern, store.facts(pattern).size)]
    if below := [*store.find(pattern.rstrip("/") + "/")]:
        return below
    if not _GLOB.search(pattern):
        return []
    wanted = re.compile(FileSystem.translate_pattern(pattern))
    return [file for file in store.find(_GLOB.split(pattern)[0]) if wanted.match(file.uri)]


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
    if store := find_store(uri):
        store.delete([uri, *(file.uri for file in store.find(f"{uri}/"))])
    elif not is_local(uri):
        with contextlib.suppress(BeamIOError):
            FileSystems.delete([uri])
    elif os.path.isdir(uri):
        shutil.rmtree(uri, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            os.remove(uri)


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


def create_file(uri: str) -> contextlib.AbstractContextManager[FileBeingWritten]:
    """Creates a file that is there whole when the block ends, or not at all.

    A local file is written beside its place, flushed to disk and moved there, which replaces
    what stands there in one step. An object is written to a file of this machine first, and put
    into its store when the block has ended well; a store replaces an object in one step.
    """
    if is_local(uri):
        return _create_local(uri)
    return _create_remote(uri)


@contextlib.contextmanager
def _create_local(uri: str) -> Iterator[FileBeingWritten]:
    place = f"{uri}.{uuid.uuid4().hex}.partial"
    try:
        with FileSystems.create(place, compression_type=_RAW) as file:
            yield FileBeingWritten(file)
            file.flush()
            os.fsync(file.fileno())
        os.replace(place, uri)
    except BaseException:
        delete(place)
        raise


@contextlib.contextmanager
def _create_remote(uri: str) -> Iterator[FileBeingWritten]:
    store = find_store(uri)
    check_scheme(uri)
    with tempfile.NamedTemporaryFile(prefix="embprep-upload-") as file:
        yield FileBeingWritten(cast(BinaryIO, file))
        file.flush()
        if store:
            store.upload(file.name, uri)
            return
        file.seek(0)
        with FileSystems.create(uri, compression_type=_RAW) as remote:
            shutil.copyfileobj(file, remote)
