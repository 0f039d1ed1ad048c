"""Tokens of vector files that are not UTF-8."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from formats.errors import DataError
from formats.vectors.source import open_source
from formats.vectors.tokens import first_tokens
from formats.vectors.unicode_errors import readable_tokens
from tests.formats.vectors.fasttext_models import sample

CUT = "가".encode()[:2]
BAD = b"abc" + CUT
TEXT = b"good 1 2\n" + BAD + b" 3 4\n" + "abc\ufffd 5 6\nlast 7 8\n".encode()


def place(index: int) -> str:
    return f"row {index + 1}"


def test_skip_leaves_the_bytes_which_nothing_finds():
    assert readable_tokens([b"a", BAD], "skip", "file", place) == [b"a", BAD]


def test_replace_puts_the_replacement_character_in_the_place_of_bad_bytes():
    assert readable_tokens([b"a", BAD], "replace", "file", place) == [b"a", "abc\ufffd".encode()]


def test_strict_names_the_file_and_the_place():
    with pytest.raises(DataError, match=r"file: row 2: expected a token in UTF-8, found b'abc\\x"):
        readable_tokens([b"a", BAD, BAD], "strict", "file", place)


@given(st.lists(st.text()), st.sampled_from(["strict", "replace", "skip"]))
def test_tokens_in_utf8_are_never_touched(texts, policy):
    tokens = [text.encode("utf-8", "surrogatepass") for text in texts]
    tokens = [token for token in tokens if token == token.decode(errors="ignore").encode()]
    assert readable_tokens(tokens, policy, "file", place) == tokens


@given(st.lists(st.binary()))
def test_replaced_tokens_are_utf8_and_as_many(tokens):
    replaced = readable_tokens(tokens, "replace", "file", place)
    assert [token.decode() for token in replaced] == [t.decode(errors="replace") for t in tokens]


@pytest.mark.parametrize("data", [TEXT, sample([b"good", BAD, b"last"]).data()])
def test_the_first_tokens_of_a_file_are_by_the_same_policy(data: bytes) -> None:
    def tokens(policy: str) -> list[str]:
        source = open_source(0, "file", len(data), lambda _: io.BytesIO(data))
        return first_tokens([source], 3, lambda _: io.BytesIO(data), unicode_errors=policy)

    assert tokens("replace") == ["good", "abc\ufffd", "last"]
    assert "good" in tokens("skip")
    assert tokens("skip")[:2] == (["good", "abc\ufffd"] if data is TEXT else ["good", "last"])
    with pytest.raises(DataError, match="file: row 2: expected a token in UTF-8"):
        tokens("strict")


def test_real_models_with_such_words_are_read(gensim_data: Callable[[str], Path]) -> None:
    data = gensim_data("pang_lee_polarity_fasttext.bin").read_bytes()

    def open_file(_: str) -> io.BytesIO:
        return io.BytesIO(data)

    source = open_source(0, "model.bin", len(data), open_file)
    replaced = first_tokens([source], 10_000, open_file, unicode_errors="replace")
    skipped = first_tokens([source], 10_000, open_file)
    assert len([token for token in replaced if "\ufffd" in token]) == 5
    assert [token for token in replaced if "\ufffd" not in token] == skipped
