"""WriteExamples: from blocks of examples to TFRecord shards, in a deterministic global shuffle."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import apache_beam as beam
import numpy as np
import numpy.typing as npt
import pyarrow as pa
from apache_beam.pvalue import AsIter, AsSingleton
from apache_beam.transforms.window import GlobalWindow
from apache_beam.utils.windowed_value import WindowedValue

from formats.blocks import EXAMPLES, SPLITS
from formats.dataset.embedding_matrix import default_shards
from formats.dataset.examples import serialize_examples
from formats.dataset.manifest import ExampleShard
from formats.dataset.paths import example_shard_path
from formats.dataset.tfrecord import RecordWriter
from formats.shard_pieces import ShardPieces
from formats.shuffle_order import shard_of
from transforms.encode_examples import ExampleSpec
from transforms.file_being_written import FileBeingWritten
from transforms.progress import SHARD, StageProgress
from transforms.storage import create_file, join
from transforms.summarise_corpus import CorpusSummary

# Of the framing and the fixed parts of a serialised example, and of one id as a varint.
_FIXED_BYTES = 80
_ID_BYTES = 2
# Serialised examples are several times as large as what they are made of.
_BYTES_AT_A_TIME = 2 << 20
# What a piece of a shard should have on average, and the most that is kept until it has.
_PIECE_BYTES = 32 << 10
_MOST_KEPT = 32 << 20

Shard = tuple[str, int]


class WriteExamples(beam.PTransform[Any, Any]):
    """Writes examples in shards, sorted by their shuffle order.

    Takes blocks of ``formats.blocks.EXAMPLES`` and gives a PCollection of
    (split, ``ExampleShard``). Every shard of every split is written, also an empty one.

    Args:
        summary: PCollection with one ``CorpusSummary``, for the number of shards.
        spec: what the examples are to be.
        splits: the splits that the corpus can have.
        output: URI of the dataset.
        run_id: the run under which the shards are written.
    """

    def __init__(
        self, summary: Any, spec: ExampleSpec, splits: Iterable[str], output: str, run_id: str
    ) -> None:
        super().__init__()
        self._summary = summary
        self._spec = spec
        self._splits = list(splits)
        self._output = output
        self._run_id = run_id

    def expand(self, examples: Any) -> Any:
        summary, spec = AsSingleton(self._summary), self._spec
        write = _WriteShard(spec, self._output, self._run_id)
        written = (
            examples
            | "ByShard" >> beam.ParDo(_ByShard(spec), summary)
            | "Group" >> beam.GroupByKey()
            | "WriteShards" >> beam.ParDo(write, summary)
        )
        # Apart from the others: an engine would write all of them down once more to add these.
        empty = (
            examples.pipeline
            | "Once" >> beam.Impulse()
            | "EmptyShards"
            >> beam.FlatMap(
                _empty_shards, AsIter(written), summary, self._splits, spec, self._run_id
            )
            | "WriteEmptyShards" >> beam.ParDo(write, summary)
        )
        return (written, empty) | "AllShards" >> beam.Flatten()


def count_shards(split: str, summary: CorpusSummary, spec: ExampleSpec) -> int:
    """Number of shards of a split: as asked for, or one a 64 MiB of examples as they are padded."""
    total = summary.examples.get(split, 0) * _example_bytes(spec)
    return spec.shards or default_shards(total)


def _example_bytes(spec: ExampleSpec) -> int:
    return _FIXED_BYTES + _ID_BYTES * spec.max_length


def write_shard(file: FileBeingWritten, block: Any, spec: ExampleSpec) -> int:
    """Writes a block of examples, sorted by their order, as the records of one TFRecord file.

    Returns:
        The number of examples.
    """
    with RecordWriter(file.stream, spec.compression) as writer:
        append_examples(writer, block, sort_examples(block), spec)
    return int(block.num_rows)


def append_examples(
    writer: RecordWriter, block: Any, places: npt.NDArray[np.int64], spec: ExampleSpec
) -> None:
    """Pads and serialises the examples in some places of a block, and appends the records."""
    rows_at_a_time = max(1, _BYTES_AT_A_TIME // _example_bytes(spec))
    for first in range(0, len(places), rows_at_a_time):
        # Taken only now, all of them could be too many for 32-bit offsets.
        rows = block.take(pa.array(places[first : first + rows_at_a_time]))
        packed_ids = rows.column("token_ids").cast(pa.binary())
        lengths = rows.column("length").to_numpy()
        fill = spec.max_length - lengths
        labels = rows.column("label").to_numpy() if spec.labelled else None
        records = serialize_examples(packed_ids, fill, lengths, labels, spec.padding)
        writer.write(records)


def sort_examples(block: Any) -> npt.NDArray[np.int64]:
    """Places of examples in their order; should two be equal, by their place in the corpus."""
    keys = [block.column(name).to_numpy() for name in ("offset", "file", "order")]
    return np.lexsort(keys)


@beam.typehints.with_output_types(tuple[Shard, pa.RecordBatch])
class _ByShard(beam.DoFn):
    """Cuts blocks by their shards, several blocks of a bundle at once where shards are many."""

    def __init__(self, spec: ExampleSpec) -> None:
        self._spec = spec

    def start_bundle(self) -> None:
        self._pieces = ShardPieces()

    def process(self, block: Any, summary: CorpusSummary) -> Iterator[tuple[Shard, Any]]:
        shards = np.array([count_shards(split, summary, self._spec) for split in SPLITS])
        splits, order = block.column("split").to_numpy(), block.column("order").to_numpy()
        # Numbered through all splits.
        self._first = np.cumsum(shards) - shards
        numbers = self._first[splits] + shard_of(order, shards[splits])
        self._pieces.add(block, numbers)
        if self._pieces.size >= min(_MOST_KEPT, _PIECE_BYTES * int(shards.sum())):
            yield from self._take()

    def finish_bundle(self) -> Iterator[Any]:
        window = GlobalWindow()
        for piece in self._take():
            yield WindowedValue(piece, window.max_timestamp(), (window,))

    def _take(self) -> Iterator[tuple[Shard, Any]]:
        for number, piece in self._pieces.take():
            split = int(np.searchsorted(self._first, number, side="right")) - 1
            yield (SPLITS[split], number - int(self._first[split])), piece


def _empty_shards(
    _: bytes,
    written: Iterable[tuple[str, ExampleShard]],
    summary: CorpusSummary,
    splits: Iterable[str],
    spec: ExampleSpec,
    run_id: str,
) -> Iterator[tuple[Shard, Any]]:
    nothing = pa.RecordBatch.from_pylist([], schema=EXAMPLES)
    there = {shard.path for _, shard in written}
    for split in splits:
        shards = count_shards(split, summary, spec)
        for shard in range(shards):
            if _path(run_id, (split, shard), shards, spec) not in there:
                yield (split, shard), [nothing]


def _path(run_id: str, shard: Shard, shards: int, spec: ExampleSpec) -> str:
    return example_shard_path(run_id, *shard, shards, spec.compression)


class _WriteShard(beam.DoFn):
    def __init__(self, spec: ExampleSpec, output: str, run_id: str) -> None:
        self._spec = spec
        self._output = output
        self._run_id = run_id
        self._progress = StageProgress("WriteExamples", SHARD)

    def process(
        self, shard_and_blocks: tuple[Shard, Iterable[Any]], summary: CorpusSummary
    ) -> Iterator[tuple[str, ExampleShard]]:
        (split, shard), blocks = shard_and_blocks
        shards = count_shards(split, summary, self._spec)
        path = _path(self._run_id, (split, shard), shards, self._spec)
        with self._progress.piece() as piece:
            with create_file(join(self._output, path)) as file:
                examples = write_shard(file, pa.concat_batches(list(blocks)), self._spec)
            piece.add(read=file.size, records=examples)
        yield split, ExampleShard(path, examples, file.size, file.sha256)
