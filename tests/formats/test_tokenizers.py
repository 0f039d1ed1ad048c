"""Tokenizers: what Keras and Python say about the same texts, and every way to misuse one."""

from __future__ import annotations

import gzip
import os
import re
import string
import subprocess
import sys
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from formats.errors import DataError, UsageError
from formats.tokenizers import make_tokenizer

ASCII_SPACE = " \t\n\v\f\r"


def tokens(spec: str, texts: Sequence[str]) -> list[list[str]]:
    found = make_tokenizer(spec)(pa.array(texts, pa.string()))
    found.validate(full=True)
    assert found.type == pa.list_(pa.string())
    assert found.null_count == found.flatten().null_count == 0
    rows: list[list[str]] = found.to_pylist()
    return rows


def words_as_keras_defines_them(text: str) -> list[str]:
    """The definition of ``text_to_word_sequence``, whose ``filters`` hold all ASCII white space."""
    filters = '!"#$%&()*+,-./:;<=>?@[\\]^_`{|}~' + ASCII_SPACE
    text = text.lower().translate({ord(character): " " for character in filters})
    return [word for word in text.split(" ") if word]


def test_basic_by_example() -> None:
    assert tokens("basic", ["It's a well-made, 3.5-star FILM!", "...", "", " a\tb\r\nc "]) == [
        ["it's", "a", "well", "made", "3", "5", "star", "film"],
        [],
        [],
        ["a", "b", "c"],
    ]


def test_white_space_beyond_ascii_stays_inside_of_tokens() -> None:
    texts = ["a\u00a0b c\u3000d", "e\u0085f g\u2028h", "\x1c \x1f"]
    expected = [["a\u00a0b", "c\u3000d"], ["e\u0085f", "g\u2028h"], ["\x1c", "\x1f"]]
    assert tokens("basic", texts) == tokens("whitespace", texts) == expected


ALL_TEXT = st.text(
    st.characters(exclude_categories=["Cs", "Cn"])
    | st.sampled_from("aB\u0130\u03a3\u03c3\u00df\u01c5'.,- \t\n\r\v\f\u00a0\u0085")
)


@given(st.lists(ALL_TEXT))
def test_basic_is_the_definition_of_keras(texts: list[str]) -> None:
    assert tokens("basic", texts) == [words_as_keras_defines_them(text) for text in texts]


@given(st.lists(ALL_TEXT))
def test_whitespace_changes_nothing_else(texts: list[str]) -> None:
    expected = [[token for token in re.split("[ \t\n\v\f\r]+", text) if token] for text in texts]
    assert tokens("whitespace", texts) == expected


@given(st.lists(ALL_TEXT))
def test_regex_takes_each_match(texts: list[str]) -> None:
    assert tokens(r"regex:(\w)+|[^\w\n]", texts) == [
        [match.group() for match in re.finditer(r"\w+|[^\w\n]", text)] for text in texts
    ]


@pytest.mark.parametrize("spec", ["basic", "whitespace", r"regex:\w+", "builtins:str.split"])
@given(texts=st.lists(ALL_TEXT, min_size=1), data=st.data())
def test_a_slice_of_an_array_is_as_good_as_its_copy(
    spec: str, texts: list[str], data: st.DataObject
) -> None:
    start = data.draw(st.integers(0, len(texts)))
    stop = data.draw(st.integers(start, len(texts)))
    part = pa.array(texts, pa.string())[start:stop]
    assert make_tokenizer(spec)(part).to_pylist() == tokens(spec, texts[start:stop])


def test_an_empty_block_has_no_rows() -> None:
    for spec in ("basic", "whitespace", "regex:.", "builtins:str.split"):
        assert tokens(spec, []) == []


def test_every_character_is_lower_cased_as_python_does() -> None:
    """But for characters that only the younger of two Unicode versions knows."""
    characters = [chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000]
    found = tokens("basic", characters)
    different = [
        character
        for character, row in zip(characters, found, strict=True)
        if row != words_as_keras_defines_them(character)
    ]
    in_arrow = pc.utf8_is_alpha(pa.array(different, pa.string())).to_pylist()
    for character, known in zip(different, in_arrow, strict=True):
        is_known_here = unicodedata.category(character) != "Cn"
        assert is_known_here != known, f"U+{ord(character):04X}"


def test_a_sigma_depends_on_its_neighbours_across_punctuation() -> None:
    texts = ["\u039f\u0394\u039f\u03a3 \u0391\u03a3.\u0391", "\u03a3", "plain \u00c9"]
    assert tokens("basic", texts) == [words_as_keras_defines_them(text) for text in texts]
    assert tokens("basic", texts)[0][0].endswith("\u03c2")
    assert tokens("basic", texts)[0][1].endswith("\u03c3")


def test_punctuation_is_all_of_ascii_but_the_apostrophe() -> None:
    kept = [c for c in string.punctuation if tokens("basic", [c]) != [[]]]
    assert kept == ["'"]


def real_texts(shared_data: Path) -> list[str]:
    corpora = shared_data / "corpora"
    reviews = (corpora / "rt-polarity.tsv").read_bytes().decode()
    korean = gzip.decompress((corpora / "nsmc-200k.tsv.gz").read_bytes()).decode()
    news = (corpora / "ag-news.tsv").read_bytes().decode()
    return [*reviews.split("\n"), *korean.split("\n")[:40_000], *news.split("\n")]


def test_basic_is_the_definition_of_keras_on_real_texts(shared_data: Path) -> None:
    texts = real_texts(shared_data)
    assert tokens("basic", texts) == [words_as_keras_defines_them(text) for text in texts]


def test_the_definition_of_keras_is_that_of_keras(shared_data: Path, tmp_path: Path) -> None:
    """Keras itself, in a process of its own since it takes seconds to load."""
    pytest.importorskip("keras", reason="Keras is part of the extra [train]")
    texts = [text for text in real_texts(shared_data)[::20] if not re.search("[\r\v\f]", text)]
    (tmp_path / "texts.txt").write_bytes("\n".join(texts).encode())
    program = (
        "import pathlib, sys\n"
        "from keras.src.legacy.preprocessing.text import text_to_word_sequence as words\n"
        "texts = pathlib.Path(sys.argv[1], 'texts.txt').read_bytes().decode().split('\\n')\n"
        "lines = '\\n'.join(' '.join(words(text)) for text in texts)\n"
        "pathlib.Path(sys.argv[1], 'words.txt').write_bytes(lines.encode())\n"
    )
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""}
    subprocess.run([sys.executable, "-c", program, str(tmp_path)], env=environment, check=True)
    by_keras = (tmp_path / "words.txt").read_bytes().decode().split("\n")
    assert [" ".join(row) for row in tokens("basic", texts)] == by_keras


MODULE = """
def split(text):
    return text.split()

def fails(text):
    raise KeyError("no such thing")

def gives_text(text):
    return text

def gives_numbers(text):
    return [1]

def gives_nothing(text):
    return [""]

def gives_lines(text):
    return ["a\\n"]

def gives_surrogates(text):
    return ["\\ud800"]

class Names:
    @staticmethod
    def upper(text):
        return [text.upper()]

VALUE = 5
"""


@pytest.fixture
def tokenizer_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    name = "tokenizers_of_a_user"
    (tmp_path / f"{name}.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, name, raising=False)
    return name


def test_a_function_of_a_module_is_called_for_each_text(tokenizer_module: str) -> None:
    assert tokens(f"{tokenizer_module}:split", ["a b", ""]) == [["a", "b"], []]
    assert tokens(f"{tokenizer_module}:Names.upper", ["a b"]) == [["A B"]]


@pytest.mark.parametrize(
    ("function", "message"),
    [
        ("fails", "KeyError: 'no such thing'"),
        ("gives_text", "did not give a list of strings"),
        ("gives_numbers", "did not give a list of strings"),
        ("gives_nothing", "gave an empty token"),
        ("gives_lines", "one with a newline"),
        ("gives_surrogates", "not Unicode"),
    ],
)
def test_a_function_that_misbehaves_is_named(
    tokenizer_module: str, function: str, message: str
) -> None:
    with pytest.raises(DataError, match=rf"^--tokenizer {tokenizer_module}:{function}:.*{message}"):
        tokens(f"{tokenizer_module}:{function}", ["some text"])


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("", "expected basic, whitespace, regex:PATTERN or module:function"),
        ("Basic", "expected basic"),
        ("regex", "expected basic"),
        ("json:", "expected basic"),
        (":loads", "expected basic"),
        ("regex:(", "not a regular expression"),
        ("no_such_module:f", "No module named 'no_such_module'"),
        ("json:no_such_function", "no_such_function"),
        ("json:decoder", "decoder is not a function"),
        ("..json:loads", "relative"),
        ("no such module:f", "must be installed or on PYTHONPATH"),
    ],
)
def test_a_spec_that_names_no_tokenizer_is_refused(spec: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        make_tokenizer(spec)


def test_a_pattern_that_matches_newlines_is_damage() -> None:
    with pytest.raises(DataError, match=r"regex:\(\?s\)\.\+: gave an empty token, or one with a"):
        tokens("regex:(?s).+", ["a\nb"])


def test_a_pattern_that_matches_nothing_gives_no_empty_tokens() -> None:
    assert tokens("regex:a*", ["baab"]) == [["aa"]]


def test_block_after_block_gives_the_same_as_one(shared_data: Path) -> None:
    texts: Any = pa.array(real_texts(shared_data)[:5000], pa.string())
    tokenizer = make_tokenizer("basic")
    bounds = np.linspace(0, len(texts), 7).astype(int)
    parts = [tokenizer(texts[start:stop]) for start, stop in zip(bounds, bounds[1:], strict=False)]
    assert pa.concat_arrays(parts).equals(tokenizer(texts))
