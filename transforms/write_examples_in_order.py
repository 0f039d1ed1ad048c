"""WriteExamplesInOrder: each range of the corpus writes its own TFRecord shard, unshuffled.

Nothing is grouped and nothing kept, so a corpus larger than memory goes through one machine.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import apache_beam as beam
import pyarrow as pa
from apache_beam.pvalue import AsSingleton

from formats.blocks import SPLITS, UNASSIGNED_SPLIT
from formats.corpus.ranges import CorpusRange
from formats.corpus.read import read_range
from formats.dataset.manifest import ExampleShard
from formats.dataset.paths import example_shard_path
from formats.dataset.tfrecord import RecordWriter
from formats.tokenized import tokenize_block
from formats.tokenizers import make_tokenizer
from transforms.encode_examples import ExampleSpec, encode
from transforms.progress import StageProgress
from transforms.storage import FileBeingWritten, create_file, join, open_file
from transforms.summarise_corpus import CorpusSummary
from transforms.write_examples import append_examples


class NumberedRange(NamedTuple):
    """A range of the corpus, and for each of its splits the shard that it writes.

    Attributes:
        work: the range.
        shards: for each of ``SPLITS``, the number of the shard; -1 where it has none.
    """

    work: CorpusRange
    shards: list[int]


def number_ranges(ranges: Sequence[CorpusRange]) -> list[NumberedRange]:
    """Gives each range the numbers of its shards, in the order of the input."""
    totals = [0] * len(SPLITS)
    numbered = []
    for work in ranges:
        shards = []
        for split in range(len(SPLITS)):
            has_split = work.split in (split, UNASSIGNED_SPLIT)
            shards.append(totals[split] if has_split else -1)
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
        self._ranges = number_ranges(ranges)
        self._side_inputs = AsSingleton(vocabulary), AsSingleton(summary)
        totals = [
            1 + max((numbered.shards[split] for numbered in self._ranges), default=-1)
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
        self._totals = totals
        self._output = output
        self._run_id = run_id
        self._progress = StageProgress("WriteExamples")

    def setup(self) -> None:
        self._tokenize = make_tokenizer(self._tokenizer)

    def process(
        self, numbered: NumberedRange, vocabulary: Any, summary: CorpusSummary
    ) -> Iterator[tuple[str, ExampleShard]]:
        files: dict[int, tuple[str, FileBeingWritten]] = {}
        counts = [0] * len(SPLITS)
        with contextlib.ExitStack() as stack:
            writers = {}
            for split, shard in enumerate(numbered.shards):
                if shard >= 0:
                    path = example_shard_path(
                        self._run_id,
                        SPLITS[split],
                        shard,
                        self._totals[split],
                        self._spec.compression,
                    )
                    file = stack.enter_context(create_file(join(self._output, path)))
                    files[split] = path, file
                    writers[split] = stack.enter_context(RecordWriter(file.stream, self._spec.compression))
            for block in read_range(numbered.work, open_file):
                tokens = tokenize_block(block.rows, self._tokenize, self._fractions)
                examples = encode(tokens, vocabulary, summary, self._spec)
                self._progress.add(read=block.bytes_read, records=examples.num_rows)
                splits = examples.column("split").to_numpy()
                for split, writer in writers.items():
                    own = examples.filter(pa.array(splits == split))
                    append_examples(writer, own, self._spec)
                    counts[split] += own.num_rows
        for split, (path, file) in files.items():
            yield SPLITS[split], ExampleShard(path, counts[split], file.size, file.sha256)
