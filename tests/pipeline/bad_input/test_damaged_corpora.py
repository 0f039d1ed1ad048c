"""Corpora with bad rows, and vocabularies that can't be read."""

from __future__ import annotations

import gzip
import re

import numpy as np
import pytest

from tests.pipeline.bad_input.bench import CORPUS, Bench, Refused


class TestCorpora:
    @pytest.mark.parametrize("flags", [(), ("--max_reject_fraction=1",)])
    def test_one_whose_every_row_is_bad(
        self, flags: tuple[str, ...], bench: Bench, refused: Refused
    ) -> None:
        path = bench.file("bad.tsv", "text\tlabel\n" + "no label\n" * 30)
        line = refused(1, f"--corpus={path}", *flags)
        assert "30 of 30 rows are bad (wrong column count: 30)" in line
        assert f"the first is in {path} at byte 11 (wrong column count)" in line

    def test_one_with_more_bad_rows_than_may_be(self, bench: Bench, refused: Refused) -> None:
        path = bench.file("some.tsv", CORPUS + "\tpos\n")
        line = refused(1, f"--corpus={path}")
        assert "1 of 41 rows are bad (no text: 1)" in line
        assert f"in {path} at byte {len(CORPUS)} (no text)" in line

    @pytest.mark.parametrize("text", ["", "text\tlabel\n"])
    def test_one_without_rows(self, text: str, bench: Bench, refused: Refused) -> None:
        path = bench.file("empty.tsv", text)
        assert refused(1, f"--corpus={path}").startswith("corpus: its files hold no rows")

    def test_one_that_is_cut_in_its_gzip(self, bench: Bench, refused: Refused) -> None:
        rows = "".join(f"{i} {i * i} {i * i * i}\tpos\n" for i in range(60000))
        packed = gzip.compress(("text\tlabel\n" + rows).encode())
        path = bench.file("cut.tsv.gz", packed[: len(packed) // 2])
        assert refused(1, f"--corpus={path}").startswith(f"{path}: decompressed byte ")

    def test_one_with_a_quote_that_never_closes(self, bench: Bench, refused: Refused) -> None:
        path = bench.file("open.csv", 'text,label\nfine,pos\n"open,neg\nmore,pos\n')
        line = refused(1, f"--corpus={path}")
        assert line.startswith(f"{path}: byte 20: expected a quote that closes")

    def test_one_without_a_token_for_the_vocabulary(self, bench: Bench, refused: Refused) -> None:
        line = refused(1, f"--corpus=test={bench.corpus}", "--vocabulary_splits=train")
        assert line.startswith("the vocabulary is empty: ")

    def test_one_that_is_binary(self, bench: Bench, refused: Refused) -> None:
        path = bench.file("noise.txt", np.random.default_rng(1).bytes(5000))
        line = refused(1, f"--corpus={path}", "--corpus_format=text")
        assert "rows are bad (bad UTF-8: " in line


@pytest.mark.parametrize(
    ("data", "place"),
    [
        (b"", "line 1"),
        (b"word1\nword2\n", "line 1"),
        (b"[PAD]\r\n[UNK]\r\nword1\r\n", "line 1"),
        (b"[PAD]\n", "line 2"),
        (b"[PAD]\n[UNK]\nword1\nword1\n", "line 4"),
        (b"[PAD]\n[UNK]\nword1\n\nword2\n", "line 4"),
        (b"[PAD]\n[UNK]\nword\xff\n", "line 3, byte 1[0-9]"),
    ],
)
def test_a_damaged_vocabulary(data: bytes, place: str, bench: Bench, refused: Refused) -> None:
    path = bench.file("vocabulary.txt", data)
    line = refused(1, f"--vocabulary={path}")
    assert re.match(rf"{re.escape(str(path))}: {place}: expected ", line)
