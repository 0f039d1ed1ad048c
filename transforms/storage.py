"""Files by URI; every other module finds, opens and creates files here.

Local files and those of Beam's other file systems (``hdfs://``, ``abfs://``, ...) go through Beam,
the objects of S3 and Google Cloud Storage through ``transforms.object_store``.
"""

from __future__ import annotations

import contextlib
import functools
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
from transforms.file_being_written import FileBeingWritten, naming_errors
from transforms.object_store import ObjectStore, StoredFile, find_store
from transforms.processes import PROCESS, has_ended, this_process
from transforms.ranged_file import RangedFile

_RAW = CompressionTypes.UNCOMPRESSED
_GLOB = re.compile(r"[*?\[]")

_PARTIAL = re.compile(rf".*\.({PROCESS})-[0-9a-f]{{8}}\.partial", re.DOTALL)


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


def list_names(directory: str, ending: str) -> list[str]:
    """Names of the files of a directory that end so, sorted; on this machine also of folders."""
    if is_local(directory):
        try:
            names = os.listdir(directory)
        except OSError:
            return []
        return sorted(name for name in names if name.endswith(ending))
    found = match_files(join(directory, f"*{ending}"))
    return [file.uri.rpartition("/")[2] for file in found]


def delete(uri: str) -> None:
    """Deletes a file, or a directory with all below it, if it is there."""
    if store := find_store(uri):
        store.delete([uri, *(file.uri for file in store.find(f"{uri}/"))])
    elif not is_local(uri):
        for uris in ([uri], [file.uri for file in _match(join(uri, "**"))]):
            with contextlib.suppress(BeamIOError):
                FileSystems.delete(uris)
    elif os.path.isdir(uri):
        # Out of its place in one step, so that nothing is there in part, and that what another
        # process puts there meanwhile stays.
        place = partial_name(uri)
        try:
            os.rename(uri, place)
        except OSError:
            place = uri
        shutil.rmtree(place, ignore_errors=True)
    else:
        with contextlib.suppress(OSError):
            os.remove(uri)


def delete_partial(directory: str, of: str = "") -> None:
    """Deletes what processes that have ended left half-written, or half-deleted.

    Args:
        directory: where it is.
        of: the beginning of the names of what it was to be.
    """
    for name in list_names(directory, ".partial"):
        found = _PARTIAL.fullmatch(name)
        if found and name.startswith(of) and has_ended(found[1]):
            delete(join(directory, name))


def partial_name(uri: str) -> str:
    """Where a file stands while it is written, or a directory while it is deleted.

    No two attempts have one place, so that they can be at work at the same time.
    """
    return f"{uri}.{this_process()}-{uuid.uuid4().hex[:8]}.partial"


@contextlib.contextmanager
def create_file(uri: str) -> Iterator[FileBeingWritten]:
    """Creates a file that is there whole when the block ends, or not at all.

    A local file is written beside its place, flushed to disk and moved there, which replaces
    what stands there in one step. What goes elsewhere is written to a file of this machine first,
    and sent when the block has ended well: a store would take a part for the whole when the block
    fails, and put it in the place of what another attempt has written. An object of S3 or Google
    Cloud Storage replaces the one that was there in one step.

    Raises:
        StorageError: the file can't be written.
    """
    with _create_local(uri) if is_local(uri) else _create_remote(uri) as file:
        yield file


@contextlib.contextmanager
def _create_local(uri: str) -> Iterator[FileBeingWritten]:
    place = partial_name(uri)
    with naming_errors(uri):
        file = FileSystems.create(place, compression_type=_RAW)
    written = FileBeingWritten(file, uri, os.path.dirname(uri))
    try:
        try:
            yield written
            with written.naming_errors():
                file.flush()
                os.fsync(file.fileno())
        except BaseException:
            # It would fail too, for the reason that is being told already.
            with contextlib.suppress(OSError):
                file.close()
            raise
        with written.naming_errors():
            file.close()
            _move(place, uri)
    except BaseException:
        delete(place)
        raise


def _move(place: str, uri: str) -> None:
    os.replace(place, uri)


@contextlib.contextmanager
def _create_remote(uri: str) -> Iterator[FileBeingWritten]:
    store = find_store(uri)
    check_scheme(uri)
    folder = tempfile.gettempdir()
    name = f"{uri}, first put in {folder}"
    with contextlib.ExitStack() as stack:
        with naming_errors(name, folder):
            file = stack.enter_context(
                tempfile.NamedTemporaryFile(prefix="embprep-upload-", dir=folder)
            )
        written = FileBeingWritten(cast(BinaryIO, file), name, folder)
        yield written
        with written.naming_errors():
            file.flush()
            file.seek(0)
        with naming_errors(uri):
            if store:
                store.upload(file.name, uri)
                return
            with FileSystems.create(uri, compression_type=_RAW) as remote:
                shutil.copyfileobj(file, remote)


def create_new(uri: str, data: bytes) -> bool:
    """Creates a small file in its place at once, unless there is one; gives whether it did.

    Of two processes that do it at the same moment one does; in Beam's other file systems, and on
    servers of S3 that know no condition, maybe both.

    Raises:
        StorageError: it can't be written.
    """
    if not is_local(uri):
        if exists(uri):
            return False
        if store := find_store(uri):
            with naming_errors(uri):
                return store.create(uri, data)
        with create_file(uri) as file:
            file.write(data)
        return True
    with naming_errors(uri):
        os.makedirs(os.path.dirname(uri) or ".", exist_ok=True)
        try:
            descriptor = os.open(uri, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        except FileExistsError:
            return False
        try:
            with open(descriptor, "wb", buffering=0) as new:
                new.write(data)
                os.fsync(new.fileno())
        except BaseException:
            delete(uri)
            raise
    return True
