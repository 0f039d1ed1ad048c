"""A range read from the middle of a word2vec binary finds its place, or the proof says that not."""

from __future__ import annotations

import gzip
import io
import random
from bisect import bisect_left
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from formats.vectors.layout import BINARY, HEAD_BYTES, TEXT, Layout, find_layout
from formats.vectors.proof import judge
from formats.vectors.records import RangeReport
from formats.vectors.word2vec_binary import read_records
from tests.formats.vectors.vector_files import (
    Row,
    binary_file,
    read_binary_with_reports,
    read_range,
)

OFFSETS = 2_000


class TrueChain:
    """The places of all records of a file, from reading it in order."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.layout = find_layout(data[:HEAD_BYTES], "file")
        rows = read_range(data, 0, None)
        assert len(rows) == self.layout.rows
        self.places = [row.place for row in rows] + [len(data)] * 2
        self.spaces = [self.layout.header_bytes - 1]
        self.spaces += [row.place + len(row.token) for row in rows]

    def first_record_behind(self, offset: int) -> int:
        return self.places[bisect_left(self.spaces, offset)]

    def misses(self, offsets: list[int]) -> list[int]:
        stream = io.BytesIO(self.data)
        missed = []
        for offset in offsets:
            stream.seek(0)
            reading = read_records(
                stream,
                self.layout,
                offset,
                offset + 1,
                name="file",
                size=len(self.data),
                block_bytes=1 << 14,
            )
            try:
                while True:
                    next(reading)
            except StopIteration as end:
                found = end.value
            behind = self.first_record_behind(offset), self.first_record_behind(offset + 1)
            if tuple(found) != behind:
                missed.append(offset)
        return missed


def without_newlines(data: bytes) -> bytes:
    layout = find_layout(data[:HEAD_BYTES], "file")
    rows = read_range(data, 0, None)
    vectors = np.frombuffer(b"".join(row.vector for row in rows), "<f4")
    return binary_file([row.token for row in rows], vectors.reshape(-1, layout.dim), newline=False)


REAL_BINARIES = [
    "imdb-cased.word2vec.50d.bin.gz",
    "imdb.word2vec.100d.bin.gz",
    "nsmc.word2vec.100d.bin",
    "text8.word2vec.10d.bin",
]


@pytest.fixture(scope="module", params=REAL_BINARIES)
def real_binary(request: pytest.FixtureRequest, shared_data: Path) -> bytes:
    data = (shared_data / "vectors" / request.param).read_bytes()
    return gzip.decompress(data) if request.param.endswith(".gz") else data


@pytest.mark.parametrize("newline", [True, False])
def test_no_random_offset_of_a_real_file_loses_its_place(real_binary: bytes, newline: bool) -> None:
    data = real_binary if newline else without_newlines(real_binary)
    chance = random.Random(7)
    offsets = [chance.randrange(len(data)) for _ in range(OFFSETS)]
    assert TrueChain(data).misses(offsets) == []


@pytest.mark.parametrize("name", ["euclidean_vectors.bin", "poincare_vectors.bin"])
def test_no_offset_of_a_file_by_gensim_loses_its_place(
    name: str, gensim_data: Callable[[str], Path]
) -> None:
    data = gensim_data(name).read_bytes()
    offsets = random.Random(7).sample(range(len(data)), OFFSETS)
    assert TrueChain(data).misses(offsets) == []


def test_the_reports_of_a_real_file_prove_it_whole(real_binary: bytes) -> None:
    chain = TrueChain(real_binary)
    cuts = random.Random(1).sample(range(len(real_binary)), 50)
    rows, reports = read_binary_with_reports(real_binary, chain.layout, cuts)
    assert [row.place for row in rows] == chain.places[: chain.layout.rows]
    verdict = judge(reports, chain.layout, len(real_binary), "file")
    assert verdict.problem is None
    assert verdict.rows == chain.layout.rows
    assert verdict.warnings == []


def words_in_floats(pattern: bytes, tokens: list[bytes], dim: int) -> bytes:
    """A binary whose floats spell a text over and over, out of step with the records."""
    text = pattern * (4 * len(tokens) * dim)
    header = b"%d %d\n" % (len(tokens), dim)
    size = 4 * dim
    return header + b"".join(
        token + b" " + text[index * size : (index + 1) * size] for index, token in enumerate(tokens)
    )


TRAPS = {
    "all spaces": words_in_floats(b" ", [b"w"] * 400, 10),
    "tokens of one length": words_in_floats(b"the of ", [b"word"] * 400, 10),
    "tokens of every length": words_in_floats(b"a ", [b"w" * (n % 7 + 1) for n in range(400)], 10),
    "floats that step as the records do": words_in_floats(b"aaaa   x", [b"abc"] * 400, 9),
    "one long word": words_in_floats(b"a", [b"w"] * 400, 10),
    "newlines": words_in_floats(b"a \n ", [b"w"] * 400, 10),
}


def read_and_judge(data: bytes, layout: Layout, cuts: list[int]) -> tuple[list[Row], bool]:
    rows, reports = read_binary_with_reports(data, layout, cuts, block_bytes=256)
    return rows, judge(reports, layout, len(data), "file").problem is None


@pytest.mark.parametrize("data", TRAPS.values(), ids=TRAPS)
def test_floats_that_spell_words_are_caught_or_read_right(data: bytes) -> None:
    rows, dim = map(int, data.partition(b"\n")[0].split())
    layout = Layout(BINARY, "word2vec binary", data.index(b"\n") + 1, rows, dim)
    truth, proved = read_and_judge(data, layout, [])
    # A reading in order does not search, so nothing can mislead it.
    assert proved == (len(truth) == rows)
    for cut in range(0, len(data), 23):
        found, proved = read_and_judge(data, layout, [cut])
        assert found == truth or not proved


def test_the_proof_is_needed() -> None:
    data = TRAPS["tokens of one length"]
    layout = Layout(BINARY, "word2vec binary", 7, 400, 10)
    truth, _ = read_and_judge(data, layout, [])
    readings = [read_and_judge(data, layout, [cut]) for cut in range(1_000, 3_000, 41)]
    lost = [proved for rows, proved in readings if rows != truth]
    assert lost
    assert not any(lost)


@given(
    letters=st.binary(min_size=1, max_size=6),
    lengths=st.lists(st.integers(1, 5), min_size=1, max_size=4),
    dim=st.integers(1, 6),
    newline=st.booleans(),
    cuts=st.lists(st.integers(0, 1000), max_size=4),
)
@settings(max_examples=300, deadline=None)
def test_nothing_is_ever_misread_in_silence(
    letters: bytes, lengths: list[int], dim: int, newline: bool, cuts: list[int]
) -> None:
    tokens = [b"w" * lengths[index % len(lengths)] for index in range(120)]
    floats = np.frombuffer((letters * (480 * dim))[: 480 * dim], "<f4").reshape(120, dim)
    data = binary_file(tokens, floats, newline=newline)
    layout = Layout(BINARY, "word2vec binary", data.index(b"\n") + 1, 120, dim)
    found, proved = read_and_judge(data, layout, [cut * len(data) // 1000 for cut in cuts])
    assert not proved or [(row.token, row.vector) for row in found] == [
        (token, vector.tobytes()) for token, vector in zip(tokens, floats, strict=True)
    ]


WORD2VEC = Layout(BINARY, "word2vec binary", 4, 30, 5)
REPORTS = [
    RangeReport(0, 0, 0, 4, 100, 10),
    RangeReport(0, 0, 100, 100, 207, 10),
    RangeReport(0, 0, 200, 207, 300, 10),
]


def test_reports_are_judged_in_any_order() -> None:
    assert judge(REPORTS[::-1], WORD2VEC, 300, "file").problem is None


@pytest.mark.parametrize(
    ("reports", "place", "found"),
    [
        (
            [REPORTS[0], REPORTS[1]._replace(first=101), REPORTS[2]],
            "the range from byte 0: expected a record at byte 100",
            "found one that starts at byte 101",
        ),
        (
            [REPORTS[0], REPORTS[1]._replace(problem="lost"), REPORTS[2]],
            "the range from byte 100: expected",
            "found lost",
        ),
        (
            [*REPORTS[:2], REPORTS[2]._replace(problem="lost")],
            "the range from byte 200: expected",
            "found lost",
        ),
        (
            [*REPORTS[:2], REPORTS[2]._replace(next=290)],
            "the range from byte 200: expected the end of the file",
            "found a record at byte 290",
        ),
        (REPORTS[:2], "expected the end of the file", "found a record at byte 207"),
        (
            [*REPORTS[:2], REPORTS[2]._replace(rows=9)],
            "row 30: expected 30 rows, as the header says",
            "found 29",
        ),
        (
            [*REPORTS[:2], REPORTS[2]._replace(rows=11)],
            "row 31: expected 30 rows, as the header says",
            "found 31",
        ),
    ],
)
def test_reports_that_do_not_add_up_are_a_problem(
    reports: list[RangeReport], place: str, found: str
) -> None:
    problem = judge(reports, WORD2VEC, 300, "vectors.bin").problem
    assert problem is not None
    message = str(problem)
    assert message.startswith("vectors.bin: ")
    assert place in message
    assert found in message


def text_verdict(rows: int, last_token: bytes, header_rows: int, newline: bool = True):  # type: ignore[no-untyped-def]
    report = RangeReport(0, 0, 0, 0, 0, rows, last_token, newline)
    empty = RangeReport(0, 0, 500, 0, 0, 0)
    layout = Layout(TEXT, "GloVe text", 4, header_rows, 5)
    return judge([report, empty], layout, None, "glove.txt")


def test_a_text_file_without_a_header_has_any_number_of_rows() -> None:
    verdict = text_verdict(12, b"the", -1)
    assert (verdict.rows, verdict.warnings, verdict.problem) == (12, [], None)


def test_the_row_that_glove_does_not_count_is_read_with_a_warning() -> None:
    verdict = text_verdict(11, b"<unk>", 10)
    assert verdict.problem is None
    assert verdict.warnings == [
        "glove.txt: the header counts 10 rows but 11 are there; the last is <unk>, which glove.c "
        "appends without counting it: all were read"
    ]


@pytest.mark.parametrize(("rows", "token"), [(11, b"the"), (9, b"<unk>"), (12, b"<unk>")])
def test_another_wrong_count_is_damage(rows: int, token: bytes) -> None:
    problem = text_verdict(rows, token, 10).problem
    assert problem is not None
    assert f"expected 10 rows, as the header says, found {rows}" in str(problem)


def test_a_missing_last_newline_is_a_warning() -> None:
    verdict = text_verdict(12, b"the", 12, newline=False)
    assert verdict.problem is None
    assert "the last row has no newline at its end" in verdict.warnings[0]
