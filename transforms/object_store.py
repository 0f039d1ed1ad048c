"""What the rest of embprep needs of a store of objects, and which stores there are.

Beam's own file systems for S3 and Google Cloud Storage are not used for this, only their options
and credentials. In Beam 2.77 they make a client for each single operation; for S3 they ask for
all bytes from a place to the end of the object, put even the smallest object there by three
requests, fail at an empty one, show what was written of an object when its writer fails, and try
again for minutes when there are no credentials.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple, Protocol

from apache_beam.io.filesystems import FileSystems
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.options.value_provider import RuntimeValueProvider

from formats.errors import DataError


class StoredFile(NamedTuple):
    """A file that was found by a pattern."""

    uri: str
    size: int


class ObjectFacts(NamedTuple):
    """Bytes of an object, and what tells this version of it from others."""

    size: int
    version: Any


class ObjectStore(Protocol):
    """A store of objects. Every method raises ``OSError`` for what it can't do.

    Failures that pass are tried again before that. All methods can be called by several threads.
    """

    def facts(self, uri: str) -> ObjectFacts:
        """What an object is; ``FileNotFoundError`` if there is none."""

    def read(self, uri: str, version: Any, start: int, stop: int) -> bytes:
        """The bytes of a version of an object from ``start`` to ``stop``, by one request.

        Raises:
            DataError: the object was replaced by another version.
        """

    def find(self, prefix: str) -> Iterator[StoredFile]:
        """All objects whose URIs start so."""

    def upload(self, path: str, uri: str) -> None:
        """Puts a local file there as an object, which is seen whole or not at all."""

    def create(self, uri: str, data: bytes) -> bool:
        """Puts a small object there unless there is one; gives whether it did.

        The store decides, so of two that do it at the same moment one does. What a server does
        that can't is said by each store.
        """

    def delete(self, uris: Iterable[str]) -> None:
        """Deletes objects, those that are there."""


def replaced(uri: str) -> DataError:
    """The error for an object that is another one than when it was opened."""
    return DataError(f"{uri}: was replaced while it was read; start again when it stays as it is")


def _make_s3_store(options: PipelineOptions | dict[str, Any], uri: str) -> ObjectStore:
    from transforms.s3_store import S3Store

    return S3Store(options, uri)


def _make_gcs_store(options: PipelineOptions | dict[str, Any], uri: str) -> ObjectStore:
    from transforms.gcs_store import GcsStore

    return GcsStore(options, uri)


_MAKERS: dict[str, Callable[[Any, str], ObjectStore]] = {
    "s3": _make_s3_store,
    "gs": _make_gcs_store,
}
_lock = threading.Lock()
_made: dict[str, tuple[Any, ObjectStore]] = {}


def find_store(uri: str) -> ObjectStore | None:
    """The store that holds an object; None for a local path and for Beam's other file systems.

    Raises:
        UsageError: the packages that the store needs are not installed.
    """
    scheme = FileSystems.get_scheme(uri)
    if scheme not in _MAKERS:
        return None
    # As Beam itself asks for them; it has no function for this.
    options = FileSystems._pipeline_options or RuntimeValueProvider.runtime_options
    with _lock:
        known = _made.get(scheme)
        if known is None or known[0] is not options:
            store = _MAKERS[scheme](options or PipelineOptions([]), uri)
            known = _made[scheme] = options, store
    return known[1]
