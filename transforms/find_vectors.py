"""Two ways to find the vectors of a vocabulary: the whole of it at every worker, or by its parts.

``BroadcastLookup`` sends the vocabulary to each worker that reads vectors. ``ShuffleLookup`` sends
them a Bloom filter of it; the rows that pass, and the vocabulary, are parted by the hash of the
token, and each part is looked up by itself. Both give the same vectors.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple, Protocol

import apache_beam as beam
import numpy as np
import pyarrow as pa
from apache_beam.pvalue import AsSingleton, TaggedOutput

from formats.dataset.vocabulary import OOV_ID
from formats.token_hashes import hash_array, split_by_hash
from formats.vectors.forms import FORMS, list_forms, list_unk_forms
from formats.vectors.lookup import make_lookup_of_forms
from formats.vectors.sieve import TokenSieve, make_sieve
from formats.vectors.source import VectorSource
from formats.vectors.wanted_rows import LikelyTokens, WantedTokens, match_candidates
from transforms.prove_vectors import JoinCounts
from transforms.scan_vectors import COUNTS, REJECTS, ScannedVectors, ScanVectors, join_found
from transforms.shared_lookup import SharedLookup

BROADCAST, SHUFFLE, AUTO = "broadcast", "shuffle", "auto"
JOINS = (AUTO, BROADCAST, SHUFFLE)

# A part of ten million tokens is 80,000 of them.
_PARTS = 128
_SLICE_TOKENS = 1 << 16
_BLOCK_BYTES = 4 << 20


class FoundVectors(NamedTuple):
    """Outputs of the finding.

    Attributes:
        vectors: PCollection of joined blocks (``formats.vectors.joined``).
        rejects: PCollection of (ordinal of the file, attempt, block of
            ``formats.blocks.REJECTS``).
        counts: PCollection of ``JoinCounts``.
    """

    vectors: Any
    rejects: Any
    counts: Any


class Finder(Protocol):
    """A way to find the vectors of a vocabulary."""

    def scan(self, label: str, work: Any) -> ScannedVectors:
        """Finds rows in the ranges of a PCollection."""

    def find(self, scanned: Sequence[ScannedVectors]) -> FoundVectors:
        """The vectors of the rows that were found."""


class BroadcastLookup:
    """Every worker has the whole vocabulary.

    Args:
        vocabulary: PCollection with one block, the vocabulary.
        sources: the vector files.
        lookup: the forms of the vocabulary.
        unicode_errors: what is done with tokens that are not UTF-8.
    """

    def __init__(
        self,
        vocabulary: Any,
        sources: Sequence[VectorSource],
        lookup: SharedLookup,
        unicode_errors: str,
    ) -> None:
        self._vocabulary = AsSingleton(vocabulary)
        self._sources = sources
        self._lookup = lookup
        self._unicode_errors = unicode_errors

    def scan(self, label: str, work: Any) -> ScannedVectors:
        """Finds the rows of the vocabulary's tokens."""
        lookup, unicode_errors = self._lookup, self._unicode_errors

        def select(source: VectorSource, vocabulary: Any) -> WantedTokens:
            return WantedTokens(lookup.of(vocabulary), unicode_errors, source.name)

        scan = ScanVectors(self._sources, select, self._vocabulary)
        scanned: ScannedVectors = work | label >> scan
        return scanned

    def find(self, scanned: Sequence[ScannedVectors]) -> FoundVectors:
        """Reads the floats of the rows."""
        found = [each.rows for each in scanned]
        if any(source.is_scanned_whole for source in self._sources):
            # One worker found all of a packed file's rows; only the first reading is of such.
            found.append(scanned[0].packed_rows | "SpreadFound" >> beam.Reshuffle())
        parsed = flatten("FlattenFound", *found) | "ParseVectors" >> beam.ParDo(
            _ParseVectors(self._sources, self._lookup), self._vocabulary
        ).with_outputs(REJECTS, COUNTS, main="vectors")
        return FoundVectors(parsed.vectors, parsed[REJECTS], parsed[COUNTS])


@beam.typehints.with_output_types(
    pa.RecordBatch, rejects=tuple[int, int, pa.RecordBatch], counts=JoinCounts
)
class _ParseVectors(beam.DoFn):
    def __init__(self, sources: Sequence[VectorSource], lookup: SharedLookup) -> None:
        self._sources = sources
        self._lookup = lookup

    def process(self, found: pa.RecordBatch, vocabulary: Any) -> Iterator[Any]:
        return join_found(found, found.num_rows, self._lookup.of(vocabulary), self._sources)


class ShuffleLookup:
    """Every worker has parts of the vocabulary, one at a time.

    Args:
        vocabulary: PCollection with one block, the vocabulary.
        sources: the vector files.
        rules: the forms under which a token is looked up, in order.
        unk_tokens: what a file may call its vector for unknown words, in order.
        unicode_errors: what is done with tokens that are not UTF-8.
    """

    def __init__(
        self,
        vocabulary: Any,
        sources: Sequence[VectorSource],
        rules: Sequence[str],
        unk_tokens: Sequence[str],
        unicode_errors: str,
    ) -> None:
        self._vocabulary = vocabulary
        self._sources = sources
        self._forms = list(rules), list(unk_tokens)
        self._unicode_errors = unicode_errors
        sieve = vocabulary | "MakeSieve" >> beam.Map(
            _sieve_of_vocabulary, *self._forms
        ).with_output_types(tuple[int, bytes])
        self._sieve = AsSingleton(sieve)

    def scan(self, label: str, work: Any) -> ScannedVectors:
        """Finds the rows that pass the Bloom filter."""
        unicode_errors = self._unicode_errors

        def select(source: VectorSource, sieve: tuple[int, bytes]) -> LikelyTokens:
            size, bits = sieve
            table = TokenSieve(np.frombuffer(bits, np.uint8), size)
            return LikelyTokens(table, unicode_errors, source.name)

        scanned: ScannedVectors = work | label >> ScanVectors(self._sources, select, self._sieve)
        return scanned

    def find(self, scanned: Sequence[ScannedVectors]) -> FoundVectors:
        """Brings rows and tokens together by the hash of the token, and reads the floats."""
        rows = [rows for each in scanned for rows in (each.rows, each.packed_rows)]
        candidates = (
            rows | "AllCandidates" >> beam.Flatten() | "CandidatesByHash" >> _by_hash("token")
        )
        forms = (
            self._vocabulary
            | "SliceVocabulary"
            >> beam.FlatMap(_slices).with_output_types(tuple[int, pa.RecordBatch])
            | "SpreadSlices" >> beam.Reshuffle()
            | "ListForms"
            >> beam.Map(_forms_of_slice, *self._forms).with_output_types(pa.RecordBatch)
            | "FormsByHash" >> _by_hash("form")
        )
        matched = (
            (forms, candidates)
            | "FormsAndCandidates" >> beam.Flatten()
            | "ByHash" >> beam.GroupByKey()
            | "MatchCandidates"
            >> beam.ParDo(_MatchPart(self._sources)).with_outputs(REJECTS, COUNTS, main="vectors")
        )
        return FoundVectors(matched.vectors, matched[REJECTS], matched[COUNTS])


def _by_hash(column: str) -> Any:
    return beam.FlatMap(split_by_hash, column, _PARTS).with_output_types(tuple[int, pa.RecordBatch])


def _slices(vocabulary: Any) -> Iterator[tuple[int, Any]]:
    for first in range(0, vocabulary.num_rows, _SLICE_TOKENS):
        yield first, vocabulary.select(["token"]).slice(first, _SLICE_TOKENS)


def _forms_of_slice(
    numbered: tuple[int, Any], rules: Sequence[str], unk_tokens: Sequence[str]
) -> Any:
    """The forms of some rows of the vocabulary, as a batch of ``FORMS``; [PAD] has none."""
    first, words = numbered
    # Before these rows there are no words.
    passed = max(OOV_ID + 1 - first, 0)
    forms = list_forms(words.column("token")[passed:], first + passed, rules)
    if first:
        return forms
    return pa.concat_batches([list_unk_forms(unk_tokens), forms])


def _sieve_of_vocabulary(
    vocabulary: Any, rules: Sequence[str], unk_tokens: Sequence[str]
) -> tuple[int, bytes]:
    hashes = (
        hash_array(_forms_of_slice(numbered, rules, unk_tokens).column("form"))
        for numbered in _slices(vocabulary)
    )
    sieve = make_sieve(hashes, vocabulary.num_rows * len(rules))
    return sieve.size, sieve.bits.tobytes()


@beam.typehints.with_output_types(
    pa.RecordBatch, rejects=tuple[int, int, pa.RecordBatch], counts=JoinCounts
)
class _MatchPart(beam.DoFn):
    def __init__(self, sources: Sequence[VectorSource]) -> None:
        self._sources = sources

    def process(self, part: tuple[int, Iterable[Any]]) -> Iterator[Any]:
        _, batches = part
        # Gone through twice: engines hand out a large group piece by piece.
        lookup = make_lookup_of_forms([batch for batch in batches if batch.schema == FORMS])
        rows = (batch for batch in batches if batch.schema != FORMS)
        for (source, attempt), candidates in _gathered(rows):
            found = match_candidates(candidates, lookup)
            if found.num_rows:
                yield from join_found(found, candidates.num_rows, lookup, self._sources)
            else:
                yield TaggedOutput(COUNTS, JoinCounts(source, attempt, candidates.num_rows, 0))


def _gathered(batches: Iterable[Any]) -> Iterator[tuple[tuple[int, int], Any]]:
    """Puts small batches of one reading of a file together: ((source, attempt), rows)."""
    waiting: dict[tuple[int, int], list[Any]] = {}
    for batch in batches:
        reading = batch.column("source")[0].as_py(), batch.column("attempt")[0].as_py()
        own = waiting.setdefault(reading, [])
        own.append(batch)
        if sum(each.nbytes for each in own) >= _BLOCK_BYTES:
            yield reading, pa.concat_batches(waiting.pop(reading))
    for reading, own in waiting.items():
        yield reading, pa.concat_batches(own)


def flatten(label: str, *parts: Any) -> Any:
    """All of some PCollections; engines would write a single one down before they go on."""
    return parts[0] if len(parts) == 1 else parts | label >> beam.Flatten()
