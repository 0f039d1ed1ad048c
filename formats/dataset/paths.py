"""Names of the files of a dataset, relative to its directory, with ``/`` on every system."""

from __future__ import annotations

import re

from formats.errors import DataError

MANIFEST_PATH = "manifest.json"

# Regular expression of the name of a run.
RUN_ID = "[A-Za-z0-9][A-Za-z0-9._-]{0,127}"

_SCHEME_OR_DRIVE = re.compile("[A-Za-z][A-Za-z0-9+.-]*:")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


def run_directory(run_id: str) -> str:
    """Directory of the files of one run."""
    return f"runs/{run_id}"


def run_manifest_path(run_id: str) -> str:
    """The manifest as a run keeps it, whichever run is in force."""
    return f"{run_directory(run_id)}/manifest.json"


def vocabulary_text_path(run_id: str) -> str:
    """The vocabulary, one token a line."""
    return f"{run_directory(run_id)}/vocabulary.txt"


def vocabulary_table_path(run_id: str) -> str:
    """The vocabulary with counts and where each vector comes from."""
    return f"{run_directory(run_id)}/vocabulary.parquet"


def embedding_shard_path(run_id: str, shard: int, shards: int, format: str) -> str:
    """A shard of the embedding matrix; ``format`` is its extension, such as ``npy``."""
    return f"{run_directory(run_id)}/embeddings-{shard:05d}-of-{shards:05d}.{format}"


def example_shard_path(run_id: str, split: str, shard: int, shards: int, compression: str) -> str:
    """A shard of the examples of a split; ``compression`` is ``gzip`` or ``none``."""
    extension = "tfrecord.gz" if compression == "gzip" else "tfrecord"
    return f"{run_directory(run_id)}/{split}-{shard:05d}-of-{shards:05d}.{extension}"


def rejects_path(run_id: str, shard: int = 0, shards: int = 1) -> str:
    """A shard of the rows that could not be used."""
    return f"{run_directory(run_id)}/rejects-{shard:05d}-of-{shards:05d}.jsonl"


def safe_path(relative: str) -> str:
    """Checks a path that comes from data, and returns it as it is.

    Raises:
        DataError: it could lead out of the dataset's directory, or is not written in the one
            way that means the same on a disk and in an object store.
    """
    if (
        _SCHEME_OR_DRIVE.match(relative)
        or _CONTROL.search(relative)
        or "\\" in relative
        or any(part in ("", ".", "..") for part in relative.split("/"))
    ):
        raise DataError(
            f"{relative!r}: expected a path inside of the dataset's directory, such as "
            "'runs/RUN_ID/vocabulary.txt'; the manifest is damaged or not to be trusted"
        )
    return relative
