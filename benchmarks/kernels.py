"""The work itself, by the functions of ``formats`` in one process, without Beam.

``python -m benchmarks.kernels KERNEL ARGUMENT ...`` does it once and prints as its last line the
seconds that it took after the imports, as JSON. The kernels:

* ``join VECTORS VOCABULARY OUTPUT``: matrix.npy of a vocabulary;
* ``corpus CORPUS MAX_TOKENS LENGTH OUTPUT``: vocabulary.txt and train.tfrecord.gz of a text corpus;
* ``examples CORPUS VOCABULARY LENGTH OUTPUT``: train.tfrecord of texts cut into tokens before.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from formats.corpus.plan import CorpusFile, plan_corpus
from formats.corpus.ranges import TEXT
from formats.corpus.read import read_range as read_corpus_range
from formats.counts import complete_vocabulary, merge_counts, order_counts
from formats.dataset.examples import POST, pack_ids, serialize_examples
from formats.dataset.tfrecord import GZIP, NONE, RecordWriter
from formats.dataset.vocabulary import read_vocabulary_text, write_vocabulary_text
from formats.encoding import encode_block, encode_tokens, truncate
from formats.token_index import TokenIndex
from formats.tokenized import tokenize_block
from formats.tokenizers import tokenize_basic
from formats.vectors.forms import EXACT, UNK_TOKENS
from formats.vectors.joined import choose_rows, joined_block
from formats.vectors.lookup import make_lookup
from formats.vectors.parse_vectors import parse_vectors
from formats.vectors.records import RangeReport, RowBlock
from formats.vectors.source import VectorSource, cut_ranges, open_source, read_range
from formats.vectors.wanted_rows import WantedTokens, find_rows

# As the job has them.
_RANGE_BYTES = 32 << 20
_ROWS_AT_A_TIME = 8192


def join(vectors: str, vocabulary: str, output: str) -> float:
    """Joins a vocabulary to a vector file; gives the seconds."""
    with _timed() as seconds:
        tokens = read_vocabulary_text(Path(vocabulary).read_bytes(), vocabulary)
        lookup = make_lookup(tokens, [EXACT], UNK_TOKENS)
        source = open_source(0, vectors, os.path.getsize(vectors), _open)
        kind, dim = source.layout.kind, source.layout.dim
        joined = []
        for found in find_rows(_rows(source), WantedTokens(lookup), 0, 0):
            parsed = parse_vectors(found, kind, dim)
            joined.append(joined_block(found, parsed.kept, parsed.vectors, lookup))
        rows = choose_rows(joined, 0, len(tokens), dim, {0: 0})
        np.save(f"{output}/matrix.npy", rows.vectors)
    return seconds()


def _rows(source: VectorSource) -> Iterator[RowBlock]:
    for work in cut_ranges(source, _RANGE_BYTES):
        for block in read_range(source, work, _open):
            if not isinstance(block, RangeReport):
                yield block


def corpus(path: str, max_tokens: str, length: str, output: str) -> float:
    """Builds the vocabulary of a corpus and writes its examples; gives the seconds."""
    with _timed() as seconds:
        counts = []
        for block in _token_blocks(path):
            counted = pc.value_counts(block.column("tokens").flatten())
            columns = [counted.field("values"), counted.field("counts")]
            counts.append(pa.record_batch(columns, ["token", "count"]))
        merged = merge_counts(counts)
        ordered = order_counts(merged, 1, int(max_tokens))
        tokens = complete_vocabulary(ordered, pa.array([], pa.string()), merged).column("token")
        Path(output, "vocabulary.txt").write_bytes(write_vocabulary_text(tokens))
        with _records(f"{output}/train.tfrecord.gz", GZIP) as writer:
            index = TokenIndex(tokens)
            for block in _token_blocks(path):
                encoded = encode_block(
                    block, index, [], max_length=int(length), truncating=POST, shuffle_seed=None
                )
                packed = encoded.column("token_ids").cast(pa.binary())
                _append(writer, packed, encoded.column("length"), int(length))
    return seconds()


def examples(path: str, vocabulary: str, length: str, output: str) -> float:
    """Encodes, serialises and frames examples; gives the seconds."""
    tokens = read_vocabulary_text(Path(vocabulary).read_bytes(), vocabulary)
    blocks = [block.column("tokens") for block in _token_blocks(path)]
    with _timed() as seconds, _records(f"{output}/train.tfrecord", NONE) as writer:
        index = TokenIndex(tokens)
        for block in blocks:
            ids = truncate(encode_tokens(block, index), int(length), POST)
            _append(writer, pack_ids(ids), pc.list_value_length(ids), int(length))
    return seconds()


def _token_blocks(path: str) -> Iterator[Any]:
    plan = plan_corpus(
        path,
        [CorpusFile(path, os.path.getsize(path))],
        format=TEXT,
        text_column=None,
        label_column="",
        split=0,
        first_file=0,
        range_bytes=_RANGE_BYTES,
        open_file=_open,
    )
    for work in plan.ranges:
        for block in read_corpus_range(work, _open):
            yield tokenize_block(block.rows, tokenize_basic, {})


def _append(writer: RecordWriter, packed_ids: Any, lengths: Any, length: int) -> None:
    for first in range(0, len(packed_ids), _ROWS_AT_A_TIME):
        packed = packed_ids.slice(first, _ROWS_AT_A_TIME)
        kept = lengths.slice(first, _ROWS_AT_A_TIME).to_numpy()
        writer.write(serialize_examples(packed, length - kept, kept, None))


@contextlib.contextmanager
def _records(path: str, compression: str) -> Iterator[RecordWriter]:
    with open(path, "wb") as file, RecordWriter(file, compression) as writer:
        yield writer


@contextlib.contextmanager
def _timed() -> Iterator[Callable[[], float]]:
    """Gives a function that tells, behind the block, how many seconds the block took."""
    started = time.perf_counter()
    ended = started
    yield lambda: ended - started
    ended = time.perf_counter()


def _open(uri: str) -> BinaryIO:
    return open(uri, "rb")


KERNELS: dict[str, Callable[..., float]] = {"join": join, "corpus": corpus, "examples": examples}


def main(arguments: Sequence[str]) -> None:
    """Runs a kernel; the last argument is its output folder, which is made."""
    os.makedirs(arguments[-1], exist_ok=True)
    print(json.dumps({"seconds": KERNELS[arguments[0]](*arguments[1:])}))


if __name__ == "__main__":
    main(sys.argv[1:])
