"""WriteExamplesInOrder: each range of the corpus writes its own TFRecord shard, unshuffled.

Nothing is grouped and nothing kept, so a corpus larger than memory goes through one machine.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import apache_beam as beam
import numpy as np
from apache_beam.pvalue import AsSingleton

from formats.blocks import SPLITS, UNASSIGNED_SPLIT
from formats.corpus.ranges import CorpusRange
from formats.corpus.read import read_range
from formats.dataset.manifest import ExampleShard
from formats.dataset.paths import example_shard_path
from formats.dataset.tfrecord import RecordWriter
from formats.tokenized import tokenize_block
from formats.tokenizers import make_tokenizer
from transforms.encode_examples import Encoder, ExampleSpec
from transforms.file_being_written import FileBeingWritten
from transforms.progress import SHARD, StageProgress
from transforms.storage import create_file, join, open_file
from transforms.summarise_corpus import CorpusSummary
from transforms.write_examples import append_examples

_NO_SHARD = -1


class NumberedRange(NamedTuple):
    """A range of the corpus, and for each of its splits the shard that it writes.

    Attributes:
        work: the range.
        shards: for each of ``SPLITS``, the number of the shard, or -1 where it has none.
    """

    work: CorpusRange
    shards: list[int]


def number_ranges(
    ranges: Sequence[CorpusRange], fractions: Mapping[str, float]
) -> list[NumberedRange]:
    """Gives each range the numbers of its shards, in the order of the input."""
    hashed = [fractions.get(split, 0) > 0 for split in SPLITS]
    totals = [0] * len(SPLITS)
    numbered = []
    for work in ranges:
        shards = []
        for split in range(len(SPLITS)):
            has_split = hashed[split] if work.split == UNASSIGNED_SPLIT else work.split == split
            shards.append(totals[split] if has_split else _NO_SHARD)
            totals[split] += has_split
        numbered.append(NumberedRange(work, shards))
    return numbered


class WriteExamplesInOrder(beam.PTransform[Any, Any]):
    """Reads, encodes and writes each range of the corpus on its own.

    Applied to a pipeline; gives a PCollection of (split, ``ExampleShard``).

    Args:
        ranges: the ranges of the corpus, in the order of the input.
        vocabulary: PCollection with one block, the vocabulary.
        summary: PCollection with one ``CorpusSummary``, for the labels.
        tokenizer: as ``Tokenize`` takes it.
        fractions: as ``Tokenize`` takes them.
        spec: what the examples are to be.
        output: URI of the dataset.
        run_id: the run under which the shards are written.
    """

    def __init__(
        self,
        ranges: Sequence[CorpusRange],
        vocabulary: Any,
        summary: Any,
        tokenizer: str,
        fractions: Mapping[str, float],
        spec: ExampleSpec,
        output: str,
        run_id: str,
    ) -> None:
        super().__init__()
        self._ranges = number_ranges(ranges, fractions)
        self._side_inputs = AsSingleton(vocabulary), AsSingleton(summary)
        totals = [
            1 + max((numbered.shards[split] for numbered in self._ranges), default=_NO_SHARD)
            for split in range(len(SPLITS))
        ]
        self._write = _WriteRange(tokenizer, fractions, spec, totals, output, run_id)

    def expand(self, pipeline: Any) -> Any:
        return (
            pipeline
            | "Ranges" >> beam.Create(self._ranges)
            | "WriteRanges" >> beam.ParDo(self._write, *self._side_inputs)
        )


class _WriteRange(beam.DoFn):
    def __init__(
        self,
        tokenizer: str,
        fractions: Mapping[str, float],
        spec: ExampleSpec,
        totals: list[int],
        output: str,
        run_id: str,
    ) -> None:
        self._tokenizer = tokenizer
        self._fractions = fractions
        self._spec = spec
        self._encoder = Encoder(spec)
        self._totals = totals
        self._output = output
        self._run_id = run_id
        self._progress = StageProgress("WriteExamples", SHARD)

    def setup(self) -> None:
        self._tokenize = make_tokenizer(self._tokenizer)

    def process(
        self, numbered: NumberedRange, vocabulary: Any, summary: CorpusSummary
    ) -> Iterator[tuple[str, ExampleShard]]:
        since = time.monotonic()
        with contextlib.ExitStack() as stack:
            shards = [
                self._open_shard(stack, split, shard)
                for split, shard in enumerate(numbered.shards)
                if shard != _NO_SHARD
            ]
            for block in read_range(numbered.work, open_file):
                tokens = tokenize_block(block.rows, self._tokenize, self._fractions)
                examples = self._encoder.encode(tokens, vocabulary, summary)
                self._progress.add(read=block.bytes_read, records=examples.num_rows)
                for shard in shards:
                    shard.append(examples, self._spec)
        for shard in shards:
            written = shard.written()
            # The shards of a range are written together.
            self._progress.add_piece(written.bytes, written.examples, since)
            yield SPLITS[shard.split], written

    def teardown(self) -> None:
        self._encoder.release()

    def _open_shard(self, stack: contextlib.ExitStack, split: int, shard: int) -> _OpenShard:
        path = example_shard_path(
            self._run_id, SPLITS[split], shard, self._totals[split], self._spec.compression
        )
        file = stack.enter_context(create_file(join(self._output, path)))
        writer = stack.enter_context(RecordWriter(file.stream, self._spec.compression))
        return _OpenShard(split, path, file, writer)


class _OpenShard:
    """A shard that a range is writing."""

    def __init__(self, split: int, path: str, file: FileBeingWritten, writer: RecordWriter) -> None:
        self.split = split
        self._path = path
        self._file = file
        self._writer = writer
        self._examples = 0

    def append(self, examples: Any, spec: ExampleSpec) -> None:
        """Appends those of the examples that are of the shard's split."""
        own = np.flatnonzero(examples.column("split").to_numpy() == self.split)
        append_examples(self._writer, examples, own, spec)
        self._examples += len(own)

    def written(self) -> ExampleShard:
        """What the manifest says of the shard, once it is closed."""
        return ExampleShard(self._path, self._examples, self._file.size, self._file.sha256)
