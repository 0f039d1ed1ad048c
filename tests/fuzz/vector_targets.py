"""Vector files: text rows, word2vec binary, fastText models, and what they are packed in."""

from __future__ import annotations

import gzip
import io
import itertools
import struct
import zipfile
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from formats.containers import PLAIN, OpenFile
from formats.errors import DataError
from formats.vectors.fasttext_bin import cut_rows, read_dictionary, read_head, read_words
from formats.vectors.layout import BINARY
from formats.vectors.parse_vectors import parse_vectors
from formats.vectors.proof import judge
from formats.vectors.records import RangeReport, Records
from formats.vectors.source import (
    VectorRange,
    VectorSource,
    cut_ranges,
    open_source,
    read_range,
    whole_range,
)
from formats.vectors.subwords import add_rows, mean_vectors, new_sums, plan_rows
from formats.vectors.tokens import first_tokens
from formats.vectors.unicode_errors import UNICODE_ERRORS
from tests.formats.vectors.vector_files import found_in
from tests.fuzz.repairs import repair_gzip, repair_zip
from tests.fuzz.target import NAME, Choices, Target, Unseekable, open_bytes, opener, short_opener

_TOKENS = [b"the", b",", b"caf\xc3\xa9", b". . .", b"\xc2\x85", b"w-5", b"cut\xc3", b"<unk>"]
_MATRIX = np.random.default_rng(0).normal(size=(len(_TOKENS), 3)).astype(np.float32)
_MOST_WORDS = 40
_UNKNOWN_WORDS = ["unknown", "영화를", "</s>", "a", "😀", "x" * 300, "\0", "<>"]


class Reading(NamedTuple):
    """The rows that were found, the problem with them, the first error."""

    rows: list[tuple[int, bytes, bytes]]
    problem: DataError | None


def read_vector_file(data: bytes, choices: Choices) -> None:
    """Reads a vector file in order and in ranges, whose rows must be the same."""
    open_file = opener(data)
    source = open_source(0, NAME, len(data), open_file)
    unicode_errors = UNICODE_ERRORS[choices.bits % 3]
    first_tokens([source], _MOST_WORDS, open_file, unicode_errors=unicode_errors)
    if source.model is not None:
        return
    whole = _read_all(source, [whole_range(source)], open_file, unicode_errors)
    if source.container.kind == PLAIN:
        ranges = cut_ranges(source, choices.range_bytes(len(data)))
        short = short_opener(data, max(choices.most, len(data) // 64))
        cut = _read_all(source, ranges, short, unicode_errors)
        proved = cut.problem is None or (source.layout.kind != BINARY and whole.problem is None)
        assert not proved or cut.rows == whole.rows, (cut, whole)
        assert source.layout.kind == BINARY or (cut.problem is None) == (whole.problem is None), (
            cut.problem,
            whole.problem,
        )
    if whole.problem is not None:
        raise whole.problem


def _read_all(
    source: VectorSource, ranges: list[VectorRange], open_file: OpenFile, unicode_errors: str
) -> Reading:
    reports: list[RangeReport] = []
    rows: list[tuple[int, bytes, bytes]] = []
    try:
        for work in ranges:
            for part in read_range(source, work, open_file):
                if isinstance(part, RangeReport):
                    reports.append(part)
                    continue
                rows += _rows_of(part)
                _parse(part, source, unicode_errors)
    except DataError as error:
        return Reading(rows, error)
    size = source.size if ranges[-1].stop != -1 else None
    return Reading(rows, judge(reports, source.layout, size, source.name).problem)


def _rows_of(records: Records) -> Iterable[tuple[int, bytes, bytes]]:
    rows = range(records.rows)
    yield from zip(records.positions(rows), records.tokens, records.written(rows), strict=True)


def _parse(records: Records, source: VectorSource, unicode_errors: str) -> None:
    forms = {token: form for form, token in enumerate(records.tokens[:_MOST_WORDS])}
    found = found_in(records, forms, unicode_errors=unicode_errors, name=source.name)
    parsed = parse_vectors(found, source.layout.kind, source.layout.dim)
    assert len(parsed.kept) + len(parsed.rejected) == len(found)
    assert parsed.vectors.shape == (len(parsed.kept), source.layout.dim)


def read_fasttext_model(data: bytes, choices: Choices) -> None:
    """Reads the vectors of some words; they are the same however the matrix is cut."""
    head = read_head(open_bytes(data), name=NAME)
    words = _some_words(data)
    # Where a stream can't be wound back, it is opened anew.
    packed = bool(choices.bits & 1)
    dictionary = read_dictionary(
        Unseekable(data) if packed else open_bytes(data),
        set(words),
        name=NAME,
        unicode_errors=UNICODE_ERRORS[choices.bits // 2 % 3],
    )
    model = dictionary.model
    plan = plan_rows(head, words, dictionary.ids)
    assert (plan.rows < model.rows).all()
    whole, cut = new_sums(model, plan), new_sums(model, plan)
    ranges = cut_rows(model, choices.range_bytes(model.rows * model.row_bytes))
    assert [0, *(last for _, last in ranges)] == [first for first, _ in ranges] + [model.rows]
    for sums, pieces in ((whole, [(0, model.rows)]), (cut, reversed(ranges))):
        for first, last in pieces:
            stream = Unseekable(data) if packed else open_bytes(data)
            add_rows(stream, model, plan, first, last, sums, name=NAME, block_bytes=choices.most)
    assert (whole == cut).all()
    vectors = mean_vectors(plan.counts, whole)
    assert vectors.shape == (len(words), head.dim)
    assert np.isfinite(vectors).all()


def _some_words(data: bytes) -> list[bytes]:
    words = dict.fromkeys(word.encode() for word in _UNKNOWN_WORDS)
    known = itertools.chain.from_iterable(read_words(open_bytes(data), name=NAME))
    for word in itertools.islice(known, _MOST_WORDS):
        try:
            word.decode()
        except UnicodeDecodeError:
            continue
        words[word] = None
    return list(words)


def text_files() -> list[bytes]:
    rows = [
        b" ".join([token, *(b"%.4f" % value for value in vector)])
        for token, vector in zip(_TOKENS, _MATRIX, strict=True)
    ]
    header = b"%d %d\n" % _MATRIX.shape
    return [
        b"\n".join(rows) + b"\n",
        header + b"\n".join(rows) + b"\n",
        header + b" \n".join(rows) + b" \n",
        b"\r\n".join(rows),
        b"a 1\nb -2e-3\nc nan\n",
    ]


def binary_files() -> list[bytes]:
    # The one token that no such file can hold is left out.
    rows = [
        (token.replace(b" ", b"_"), vector.astype("<f4").tobytes())
        for token, vector in zip(_TOKENS, _MATRIX, strict=True)
    ] * 6
    header = b"%d %d\n" % (len(rows), _MATRIX.shape[1])
    return [
        header + b"".join(token + b" " + vector + end for token, vector in rows)
        for end in (b"", b"\n")
    ]


def fasttext_models() -> list[bytes]:
    return [
        _fasttext_model(version=12),
        _fasttext_model(version=11, kind=3, labels=2, bucket=0, maxn=0),
        _fasttext_model(version=10, kind=1),
        _fasttext_model(version=12, bucket=1, minn=1, maxn=1, kind=3, labels=1),
    ]


def _fasttext_model(
    *, version: int, kind: int = 2, labels: int = 0, bucket: int = 5, minn: int = 2, maxn: int = 4
) -> bytes:
    words = [b"</s>", *_TOKENS[:5]]
    dim = 3
    new = version > 10
    arguments = (dim, 5, 5, 1, 5, 1, 2, kind, bucket, minn, maxn, 100)
    entries = [(word, 0) for word in words] + [(b"__label__%d" % n, 1) for n in range(labels)]
    rows = len(words) + bucket
    matrix = np.random.default_rng(1).normal(size=(rows, dim)).astype("<f4")
    parts: list[Any] = [
        struct.pack("<2i", 793712314, version) if new else b"",
        struct.pack("<12id", *arguments, 1e-4),
        struct.pack("<3iq", len(entries), len(words), labels, 100),
        struct.pack("<q", -1) if new else b"",
        *(word + struct.pack("<xqb", 7, type_) for word, type_ in entries),
        b"\0" if new else b"",
        struct.pack("<2q", rows, dim),
        matrix.tobytes(),
        b"\0" if new else b"",
        struct.pack("<2q", 2, dim),
        bytes(4 * 2 * dim),
    ]
    return b"".join(parts)


def gzip_files() -> list[bytes]:
    text, binary = text_files()[1], binary_files()[0]
    return [
        gzip.compress(text, mtime=0),
        gzip.compress(binary, 1, mtime=0),
        gzip.compress(text, 0, mtime=0) + gzip.compress(b"", mtime=0),
    ]


def zip_files() -> list[bytes]:
    text, binary = text_files()[0], binary_files()[1]
    return [
        _zip({"vectors.txt": text}, zipfile.ZIP_DEFLATED),
        _zip({"vectors.bin": binary}, zipfile.ZIP_STORED),
        _zip({"a/": b"", "a/fuzzed.txt": text, "__MACOSX/a": b""}, zipfile.ZIP_DEFLATED),
        _zip({"a": text}, zipfile.ZIP_DEFLATED, zip64=True),
    ]


def _zip(members: dict[str, bytes], method: int, *, zip64: bool = False) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, data in members.items():
            info = zipfile.ZipInfo(name)
            info.compress_type = method
            with archive.open(info, "w", force_zip64=zip64) as member:
                member.write(data)
    return file.getvalue()


VECTOR_TARGETS = {
    "text_vectors": Target(read_vector_file, text_files),
    "word2vec_binary": Target(read_vector_file, binary_files),
    "fasttext_model": Target(read_fasttext_model, fasttext_models),
    "gzip_vectors": Target(read_vector_file, gzip_files, repair=repair_gzip),
    "zip_vectors": Target(read_vector_file, zip_files, repair=repair_zip),
}
