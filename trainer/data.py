"""The published dataset as the trainer sees it: its manifest, its files, its examples.

TensorFlow takes seconds to import, so it is imported only where it is needed: a dataset that
can't be used is refused before that.
"""

from __future__ import annotations

import hashlib
import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

from formats.dataset.manifest import Manifest, SplitInfo, parse_manifest, safe_path
from formats.errors import DataError, damaged

if TYPE_CHECKING:
    import tensorflow as tf

_HASH_BLOCK_BYTES = 1 << 20
# Shuffling holds serialised examples, a few hundred bytes each.
_SHUFFLED_EXAMPLES = 1 << 16
_INTERLEAVED_SHARDS = 16


@dataclass(frozen=True)
class Dataset:
    """A directory, or any URI that ``tf.io.gfile`` knows, and the manifest in it."""

    directory: str
    manifest: Manifest

    def path(self, relative: str) -> str:
        """Returns the full path of a file that the manifest names."""
        return f"{self.directory.rstrip('/')}/{safe_path(relative)}"

    def split(self, name: str) -> SplitInfo | None:
        """Returns what the manifest says of a split, None when it has no examples."""
        split = self.manifest.examples.splits.get(name)
        return split if split is not None and split.examples else None


def is_local(path: str) -> bool:
    """Tells whether a path is one of this machine's, which can be mapped into memory."""
    return "://" not in path


def open_file(path: str) -> BinaryIO:
    """Opens a local path or a URI for reading bytes."""
    if is_local(path):
        return open(path, "rb")
    import tensorflow as tf

    return tf.io.gfile.GFile(path, "rb")


def open_dataset(directory: str) -> Dataset:
    """Reads the manifest of a dataset and checks that a classifier can be trained from it.

    Raises:
        DataError: there is no manifest, it breaks its format, or the examples have no labels,
            fewer than two of them, or no training split.
    """
    path = f"{directory.rstrip('/')}/manifest.json"
    try:
        with open_file(path) as file:
            data = file.read()
    except FileNotFoundError:
        raise DataError(
            f"{path}: no such file; --data is the --output of a finished `embprep build`"
        ) from None
    manifest = parse_manifest(data, path)
    if not manifest.labels or "label" not in manifest.examples.features:
        raise DataError(
            f"{path}: the examples have no labels and the trainer needs them; build the dataset "
            "from a labelled corpus (--label_column)"
        )
    if len(manifest.labels) < 2:
        raise DataError(
            f"{path}: expected two labels or more, found only {manifest.labels[0]!r}; "
            "there is nothing to tell apart"
        )
    rows = manifest.embeddings.rows
    ends = itertools.accumulate(shard.rows for shard in manifest.embeddings.shards)
    first_rows = [shard.first_row for shard in manifest.embeddings.shards]
    if [0, *ends] != [*first_rows, rows] or rows != manifest.vocabulary.size:
        raise damaged(
            path,
            "embeddings",
            expected=f"shards of {manifest.vocabulary.size} rows, one a token, without a gap",
            found=f"{rows} rows, and shards that start at rows {first_rows}",
            remedy="build the dataset again",
        )
    dataset = Dataset(directory, manifest)
    if dataset.split("train") is None:
        raise DataError(
            f"{path}: the train split has no examples; see --splits and --corpus train=PATTERN "
            "of `embprep build`"
        )
    return dataset


def check_files(dataset: Dataset, *, matrix: bool) -> None:
    """Hashes every file that training reads, in one pass over each.

    Args:
        dataset: the dataset.
        matrix: whether the shards of the embedding matrix will be read too.

    Raises:
        DataError: a file is missing or is not the one that was published.
    """
    for relative, sha256 in _files(dataset, matrix=matrix):
        path = dataset.path(relative)
        found = _sha256(path)
        if found != sha256:
            raise damaged(
                path,
                "whole file",
                expected=f"sha256 {sha256}",
                found=found,
                remedy="it was changed after it was published; build the dataset again",
            )


def _files(dataset: Dataset, *, matrix: bool) -> Iterator[tuple[str, str]]:
    manifest = dataset.manifest
    yield manifest.vocabulary.path, manifest.vocabulary.sha256
    if matrix:
        for shard in manifest.embeddings.shards:
            yield shard.path, shard.sha256
    for split in manifest.examples.splits.values():
        for examples in split.shards:
            yield examples.path, examples.sha256


def _sha256(path: str) -> str:
    digest = hashlib.sha256()
    try:
        with open_file(path) as file:
            while block := file.read(_HASH_BLOCK_BYTES):
                digest.update(block)
    except FileNotFoundError:
        raise DataError(
            f"{path}: no such file, though the manifest names it; build the dataset again"
        ) from None
    return digest.hexdigest()


def read_examples(
    dataset: Dataset, split: str, batch_size: int, *, shuffle_seed: int | None = None
) -> tf.data.Dataset | None:
    """Reads the TFRecords of a split as batches for ``fit`` and ``evaluate``.

    Args:
        dataset: the dataset.
        split: train, validation or test.
        batch_size: examples a batch; the last batch may hold fewer.
        shuffle_seed: the seed of an order that is new in every epoch; None keeps the order of
            the files.

    Returns:
        Batches of ``token_ids`` int32 [batch, max_length] and ``label`` int64 [batch], or None
        when the split has no examples.
    """
    import tensorflow as tf

    info = dataset.split(split)
    if info is None:
        return None
    examples = dataset.manifest.examples
    compression = "GZIP" if examples.compression == "gzip" else ""
    features = {
        "token_ids": tf.io.FixedLenFeature([examples.max_length], tf.int64),
        "label": tf.io.FixedLenFeature([], tf.int64),
    }

    def parse(records: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        parsed = tf.io.parse_example(records, features)
        return tf.cast(parsed["token_ids"], tf.int32), parsed["label"]

    paths = [dataset.path(shard.path) for shard in info.shards]
    if shuffle_seed is None:
        records = tf.data.TFRecordDataset(paths, compression_type=compression)
    else:
        # Files in the order of a sorted corpus hold one label each: mix them, then their rows.
        records = tf.data.Dataset.from_tensor_slices(paths)
        records = records.shuffle(len(paths), seed=shuffle_seed).interleave(
            lambda path: tf.data.TFRecordDataset(path, compression_type=compression),
            cycle_length=min(len(paths), _INTERLEAVED_SHARDS),
        )
        records = records.shuffle(min(info.examples, _SHUFFLED_EXAMPLES), seed=shuffle_seed)
    batches = records.batch(batch_size).map(
        parse, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True
    )
    # The number of batches lets the progress bar show how much is left in the first epoch.
    steps = math.ceil(info.examples / batch_size)
    return batches.apply(tf.data.experimental.assert_cardinality(steps)).prefetch(tf.data.AUTOTUNE)
