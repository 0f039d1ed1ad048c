"""However files are cut into ranges and blocks, each row is read once and in order."""

from __future__ import annotations

import gzip
import io
import random
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from formats.corpus.ranges import CorpusRange
from tests.formats.corpus.corpus_files import Corpus, corpus_of, read_ranges

BOM = b"\xef\xbb\xbf"

SMALL_FILES = {
    "text": ("text", "one\ntwo words\n\n  \nh\u00e9 \u00a0x\n\n\nlast".encode()),
    "text that ends with a newline": ("text", b"\none\n\ntwo\n"),
    "text from Windows": ("text", BOM + b"one\r\ntwo\rhalf\r\n\r\nlast\r\n"),
    "text that is not UTF-8": ("text", b"one\n\xff\xfe\ntw\x00o\n\xed\xa0\x80\nlast"),
    "only newlines": ("text", b"\n\n\n"),
    "one long line": ("text", b"x" * 40),
    "fasttext": ("fasttext", b"__label__a one\n__label__b  two\n\nnone\n__label__a __label__b c\n"),
    "tsv": ("tsv", b'label\ttext\na\tone "q\nb\ttwo\ttoo\n\nb\t\n\tno\na\tlast'),
    "tsv from Windows": ("tsv", BOM + b"text\tlabel\r\none\ta\r\n\r\ntwo\tb\r\n"),
    "jsonl": ("jsonl", b'{"text": "one", "label": 1}\n{}\n\nno\n{"label": "b", "text": "c"}'),
}


def cut_at(work: CorpusRange, size: int, cuts: Sequence[int]) -> list[CorpusRange]:
    bounds = [0, *cuts, size]
    return [
        work._replace(start=start, stop=stop)
        for start, stop in zip(bounds, bounds[1:], strict=False)
    ]


@pytest.mark.parametrize(("format", "data"), SMALL_FILES.values(), ids=SMALL_FILES)
def test_every_cut_and_every_short_range_gives_the_same_rows(format: str, data: bytes) -> None:
    corpus = corpus_of(data)
    [work] = corpus.plan(format).ranges
    whole = read_ranges([work], corpus.open)
    assert len(whole[0]) + len(whole[1]) == rows_in(data, work)
    for first in range(1, len(data)):
        cuts = [[first], *([first, first + length] for length in range(1, 7))]
        for cut in cuts:
            if cut[-1] < len(data):
                assert read_ranges(cut_at(work, len(data), cut), corpus.open) == whole


def rows_in(data: bytes, work: CorpusRange) -> int:
    return data.count(b"\n") + (not data.endswith(b"\n")) - work.header


@pytest.mark.parametrize(("format", "data"), SMALL_FILES.values(), ids=SMALL_FILES)
@pytest.mark.parametrize("block_bytes", [1, 2, 3, 7, 20])
def test_the_size_of_blocks_and_ranges_changes_nothing(
    format: str, data: bytes, block_bytes: int
) -> None:
    corpus = corpus_of(data)
    whole = corpus.read_all(format)
    assert corpus.read_all(format, block_bytes) == whole
    assert corpus.read_all(format, range_bytes=block_bytes) == whole
    assert corpus.read_all(format, block_bytes, range_bytes=1) == whole


@pytest.mark.parametrize(("format", "data"), SMALL_FILES.values(), ids=SMALL_FILES)
def test_a_gzip_file_is_one_range_with_the_same_rows(format: str, data: bytes) -> None:
    packed = corpus_of(gzip.compress(data))
    assert len(packed.plan(format, range_bytes=1).ranges) == 1
    assert packed.read_all(format, 3) == corpus_of(data).read_all(format)


def test_random_lines_and_cuts_give_the_same_rows() -> None:
    draw = random.Random(1)
    for _ in range(200):
        lines = [
            "".join(draw.choices(["a", "\u00e9", " ", "\u3042", "\r"], k=draw.randrange(6)))
            for _ in range(draw.randrange(1, 20))
        ]
        data = "\n".join(lines).encode()
        if not data:
            continue
        corpus = corpus_of(data)
        [work] = corpus.plan("text").ranges
        cuts = sorted(draw.sample(range(1, len(data)), min(len(data) - 1, 4)))
        cut = cut_at(work, len(data), cuts)
        assert read_ranges(cut, corpus.open, draw.randrange(1, 9)) == corpus.read_all("text")


def test_no_read_goes_far_beyond_its_range() -> None:
    class Watched(io.BytesIO):
        furthest = 0

        def read(self, size: int | None = -1) -> bytes:
            data = super().read(size)
            Watched.furthest = max(Watched.furthest, self.tell())
            return data

    data = b"a line\n" * 100_000
    corpus = corpus_of(data)
    work = corpus.plan("text", range_bytes=1000).ranges[3]
    rows, _ = read_ranges([work], lambda uri: Watched(data))
    assert [rows[0]["offset"], rows[-1]["offset"]] == [3003, 3997]
    assert Watched.furthest <= work.stop + (64 << 10)


@pytest.mark.parametrize("block_bytes", [1, 100, 4 << 20])
@pytest.mark.parametrize("range_bytes", [1, 200, 1 << 20])
def test_parquet_rows_are_the_same_by_any_row_groups(block_bytes: int, range_bytes: int) -> None:
    table = pa.table({"label": list("abcd") * 5, "text": [f"row {i}" for i in range(20)]})
    file = io.BytesIO()
    pq.write_table(table, file, row_group_size=3)
    corpus = corpus_of(file.getvalue())
    rows = corpus.read("parquet", block_bytes, range_bytes=range_bytes)
    assert [row["text"] for row in rows] == table["text"].to_pylist()
    assert [row["offset"] for row in rows] == list(range(20))


def test_ranges_name_their_files_and_split() -> None:
    corpus = Corpus(a=b"one\n", b=b"", c=b"two\nthree\n")
    rows = corpus.read("text", first_file=5, split=2, range_bytes=4)
    assert [(row["file"], row["offset"], row["split"]) for row in rows] == [
        (5, 0, 2),
        (7, 0, 2),
        (7, 4, 2),
    ]
