"""Whether the two sides of a case made the same, so that none wins by doing other work."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from formats.dataset.embedding_matrix import NPY, open_shard
from formats.dataset.examples import ParsedExamples, parse_examples
from formats.dataset.manifest import Manifest, parse_manifest
from formats.dataset.tfrecord import GZIP, NONE, read_records
from formats.dataset.vocabulary import OOV_ID, PAD_ID

_RECORDS_AT_A_TIME = 10_000

Numbers = npt.NDArray[np.int64]


class MismatchError(Exception):
    """The two sides of a case made different things."""


def published(dataset: Path) -> Manifest:
    """The manifest of a dataset."""
    path = dataset / "manifest.json"
    return parse_manifest(path.read_bytes(), str(path))


def check_matrix(dataset: Path, matrix: Path) -> None:
    """Checks a published matrix against a peer's, in all rows but those of [PAD] and [UNK].

    Raises:
        MismatchError: another shape or another row.
    """
    embeddings = published(dataset).embeddings
    expected = np.load(matrix, mmap_mode="r")
    _demand_equal("shape of the matrix", (embeddings.rows, embeddings.dim), expected.shape)
    for info in embeddings.shards:
        with open(dataset / info.path, "rb") as file:
            row = info.first_row
            for block in open_shard(file, NPY, info.path).blocks:
                _check_rows(block.vectors, expected, row)
                row += len(block.vectors)


def check_arrays(ours: Path, peer: Path) -> None:
    """The same for two matrices that are .npy files."""
    found, expected = np.load(ours, mmap_mode="r"), np.load(peer, mmap_mode="r")
    _demand_equal("shape of the matrix", found.shape, expected.shape)
    _check_rows(found, expected, 0)


def _check_rows(found: Any, expected: Any, first_row: int) -> None:
    skipped = max(OOV_ID + 1 - first_row, 0)
    theirs = expected[first_row : first_row + len(found)]
    differs = (found != theirs).any(axis=1)
    differs[:skipped] = False
    if differs.any():
        row = first_row + int(differs.argmax())
        raise MismatchError(f"{int(differs.sum())} rows of the matrix differ, the first is {row}")


class Encoded(NamedTuple):
    """Examples that one side wrote.

    Attributes:
        tokens: what each id stands for; None for padding and for unknown words.
        pad_id: the id of padding.
        shards: the TFRecord files.
        compression: ``gzip`` or ``none``.
        length: ids of an example.
    """

    tokens: Sequence[str | None]
    pad_id: int
    shards: Sequence[Path]
    compression: str
    length: int


def of_dataset(dataset: Path) -> Encoded:
    """The training examples of a published dataset."""
    manifest = published(dataset)
    shards = [dataset / shard.path for shard in manifest.examples.splits["train"].shards]
    tokens = _listed(dataset / manifest.vocabulary.path)
    examples = manifest.examples
    return Encoded(tokens, PAD_ID, shards, examples.compression, examples.max_length)


def of_folder(folder: Path, length: int) -> Encoded:
    """The examples of a folder with vocabulary.txt and train.tfrecord.gz, as Keras orders ids."""
    tokens = _listed(folder / "vocabulary.txt")
    return Encoded(tokens, PAD_ID, [folder / "train.tfrecord.gz"], GZIP, length)


def of_tft(folder: Path, length: int) -> Encoded:
    """The examples of ``benchmarks/peers/tft_corpus.py``: 0 is padding, unknown words come last."""
    assets = folder / "transform" / "transform_fn" / "assets" / "vocabulary"
    words = assets.read_text(encoding="utf-8").split("\n")[:-1]
    return Encoded([None, *words, None], 0, sorted(folder.glob("train-*.gz")), GZIP, length)


def _listed(path: Path) -> list[str | None]:
    lines = path.read_text(encoding="utf-8").split("\n")[:-1]
    return [None, None, *lines[OOV_ID + 1 :]]


def check_examples(ours: Encoded, peer: Encoded) -> None:
    """Checks that two sides wrote the same texts as examples, in whatever order.

    Their ids may differ, and so may their choice among tokens that are equally frequent, of
    which a vocabulary of limited size holds some: those tokens count as unknown on both sides.

    Raises:
        MismatchError: another number of examples, other vocabularies, or other tokens in them.
    """
    common = sorted(set(filter(None, ours.tokens)) & set(filter(None, peer.tokens)))
    number_of = {token: number for number, token in enumerate(common, OOV_ID + 1)}
    found, expected = (_summary(side, number_of) for side in (ours, peer))
    _demand_equal("number of examples", len(found.hashes), len(expected.hashes))
    _demand_equal("size of the vocabulary", len(found.own) + len(common),
                  len(expected.own) + len(common))  # fmt: skip
    for side in (found, expected):
        rarest = side.counts.min(initial=np.iinfo(np.int64).max)
        if any(count > rarest for count in side.own):
            raise MismatchError("a frequent token is in one vocabulary only")
    if not np.array_equal(found.hashes, expected.hashes):
        differing = len(np.setdiff1d(found.hashes, expected.hashes))
        raise MismatchError(f"at least {differing} examples hold other tokens")


class _Summary(NamedTuple):
    """What one side wrote: sorted hashes of its examples, and how often each token came.

    ``counts`` are of all tokens of its vocabulary, ``own`` of those that only it has.
    """

    hashes: npt.NDArray[np.uint64]
    counts: Numbers
    own: list[int]


def _summary(side: Encoded, number_of: dict[str, int]) -> _Summary:
    numbers = np.array(
        [OOV_ID if token is None else number_of.get(token, OOV_ID) for token in side.tokens],
        np.int64,
    )
    numbers[side.pad_id] = PAD_ID
    weights = np.random.default_rng(0).integers(1 << 63, size=side.length, dtype=np.uint64) | 1
    counts = np.zeros(len(side.tokens), np.int64)
    hashes = [np.empty(0, np.uint64)]
    for block in _blocks(side):
        counts += np.bincount(block.token_ids.reshape(-1), minlength=len(counts))
        ids = numbers[block.token_ids].astype(np.uint64)
        hashes.append((ids * weights).sum(axis=1, dtype=np.uint64))
    tokens = [(token, int(count)) for token, count in zip(side.tokens, counts, strict=True)]
    return _Summary(
        np.sort(np.concatenate(hashes)),
        np.array([count for token, count in tokens if token is not None], np.int64),
        [count for token, count in tokens if token is not None and token not in number_of],
    )


def _blocks(side: Encoded) -> Iterator[ParsedExamples]:
    for shard in side.shards:
        with open(shard, "rb") as file:
            records = read_records(file, side.compression, shard.name)
            while block := list(itertools.islice(records, _RECORDS_AT_A_TIME)):
                yield parse_examples(block, side.length, labelled=False, name=shard.name)


def check_records(ours: Path, peer: Path, length: int) -> None:
    """Checks that two plain TFRecord files hold the same examples in the same order.

    Raises:
        MismatchError: they do not.
    """
    sides = (Encoded([], PAD_ID, [path], NONE, length) for path in (ours, peer))
    for found, expected in itertools.zip_longest(*map(_blocks, sides)):
        if found is None or expected is None:
            raise MismatchError("the numbers of examples differ")
        _demand_equal("token ids", found.token_ids.tobytes(), expected.token_ids.tobytes())
        _demand_equal("lengths", found.lengths.tobytes(), expected.lengths.tobytes())


def check_files(ours: Path, peer: Path) -> None:
    """Checks that two small files are the same.

    Raises:
        MismatchError: they are not.
    """
    _demand_equal(ours.name, ours.read_bytes(), peer.read_bytes())


def _demand_equal(what: str, found: Any, expected: Any) -> None:
    if found != expected:
        shown = "" if isinstance(found, bytes) else f": {found}, and {expected} of the peer"
        raise MismatchError(f"{what} differs{shown}")
