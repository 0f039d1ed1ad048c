"""EncodeExamples: from blocks of tokens to blocks of examples with token ids."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import apache_beam as beam
import pyarrow as pa
from apache_beam.pvalue import AsSingleton
from apache_beam.utils.shared import Shared

from formats.encoding import encode_block
from formats.token_index import TokenIndex
from transforms.summarise_corpus import CorpusSummary


class ExampleSpec(NamedTuple):
    """What the examples are to be.

    Attributes:
        max_length: ids of an example.
        padding: ``post`` or ``pre``, where shorter ones are padded.
        truncating: ``post`` or ``pre``, where longer ones are cut.
        shuffle_seed: seed of the global shuffle; None leaves the order of the input.
        shards: files of each split; None for one a 64 MiB.
        compression: ``gzip`` or ``none``.
        labelled: whether the corpus has labels.
    """

    max_length: int
    padding: str
    truncating: str
    shuffle_seed: int | None
    shards: int | None
    compression: str
    labelled: bool


class EncodeExamples(beam.PTransform[Any, Any]):
    """Turns blocks of ``formats.blocks.TOKENS`` into blocks of ``formats.blocks.EXAMPLES``.

    Args:
        vocabulary: PCollection with one block, the vocabulary.
        summary: PCollection with one ``CorpusSummary``, for the labels.
        spec: what the examples are to be.
    """

    def __init__(self, vocabulary: Any, summary: Any, spec: ExampleSpec) -> None:
        super().__init__()
        self._vocabulary = vocabulary
        self._summary = summary
        self._spec = spec

    def expand(self, tokens: Any) -> Any:
        return tokens | "EncodeBlocks" >> beam.ParDo(
            _EncodeBlocks(self._spec), AsSingleton(self._vocabulary), AsSingleton(self._summary)
        )


@beam.typehints.with_output_types(pa.RecordBatch)
class _EncodeBlocks(beam.DoFn):
    def __init__(self, spec: ExampleSpec) -> None:
        self._encoder = Encoder(spec)

    def process(
        self, block: pa.RecordBatch, vocabulary: Any, summary: CorpusSummary
    ) -> Iterator[Any]:
        yield self._encoder.encode(block, vocabulary, summary)

    def teardown(self) -> None:
        self._encoder.release()


class Encoder:
    """Encodes blocks, with an index of the vocabulary that is made once in each worker process.

    Args:
        spec: what the examples are to be.
    """

    def __init__(self, spec: ExampleSpec) -> None:
        self._spec = spec
        self._shared = Shared()

    def encode(self, block: Any, vocabulary: Any, summary: CorpusSummary) -> Any:
        """Encodes one block of ``formats.blocks.TOKENS``, by a block of the vocabulary."""
        return encode_block(
            block,
            self._shared.acquire(lambda: TokenIndex(vocabulary.column("token"))),
            summary.labels,
            max_length=self._spec.max_length,
            truncating=self._spec.truncating,
            shuffle_seed=self._spec.shuffle_seed,
        )

    def release(self) -> None:
        """Frees the index, which takes some 40 bytes a token, unless another thread uses it."""
        # Beam keeps the last object that was asked for, and no other.
        Shared().acquire(_Nothing)


class _Nothing:
    """Takes the place of what is no longer wanted."""
