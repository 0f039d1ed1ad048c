"""Splits: the same for the same text, everywhere, and as large as asked for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from formats.blocks import SPLITS
from formats.errors import UsageError
from formats.splits import assign_splits, assign_splits_by_tokens, parse_splits
from formats.tokenizers import make_tokenizer

DEFAULT = {"train": 0.8, "validation": 0.1, "test": 0.1}


def hash_of_text(text: str) -> int:
    crc = 0xFFFFFFFF
    for byte in text.replace(" ", "").encode():
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x82F63B78 if crc & 1 else 0)
    number = ((crc ^ 0xFFFFFFFF) + 0x9E3779B97F4A7C15) % 2**64
    number = (number ^ number >> 30) * 0xBF58476D1CE4E5B9 % 2**64
    number = (number ^ number >> 27) * 0x94D049BB133111EB % 2**64
    return number ^ number >> 31


def splits_of(texts: list[str], fractions: dict[str, float]) -> list[str]:
    found = assign_splits(pa.array(texts, pa.string()), fractions)
    assert found.dtype == np.int8
    return [SPLITS[split] for split in found]


def test_fractions_are_parsed_by_name() -> None:
    assert parse_splits("train=0.8,validation=0.1,test=0.1") == DEFAULT
    assert parse_splits(" test = 1 ") == {"test": 1.0}
    assert parse_splits("train=0.3333333,validation=0.3333333,test=0.3333333")
    assert parse_splits("train=1,test=0") == {"train": 1.0, "test": 0.0}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is not NAME=FRACTION of train, validation, test"),
        ("train", "'train' is not NAME=FRACTION"),
        ("train=0.9,dev=0.1", "'dev=0.1' is not NAME=FRACTION"),
        ("train=0.5,train=0.5", "train comes twice"),
        ("train=0.5,test=0.4", "add up to 0.9, not to 1"),
        ("train=1.2,test=-0.2", "'1.2' is not a fraction from 0 to 1"),
        ("train=most", "'most' is not a fraction"),
        ("train=nan", "'nan' is not a fraction"),
        ("train=", "'' is not a fraction"),
    ],
)
def test_fractions_that_make_no_sense_are_refused(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parse_splits(text)


def test_the_split_of_a_text_never_changes() -> None:
    """By hand: SplitMix64 of the CRC-32C of the tokens, against the fraction of 2**64."""
    texts = [f"text {number}" for number in range(50)]
    shares = [hash_of_text(text) / 2**64 for text in texts]
    expected = ["train" if s < 0.8 else "validation" if s < 0.9 else "test" for s in shares]
    assert splits_of(texts, DEFAULT) == expected
    assert splits_of(["text 0", "text 1", "", "caf\u00e9"], DEFAULT) == [
        "train",
        "train",
        "validation",
        "train",
    ]


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_case_punctuation_and_white_space_do_not_matter(text: str) -> None:
    variants = [text.lower(), f" {text.lower()}! ", text.lower().replace(" ", " ,\t")]
    assert len(set(splits_of(variants, DEFAULT))) == 1


@given(
    st.sampled_from(
        [
            {"train": 1.0},
            {"test": 1.0},
            {"train": 0.0, "validation": 1.0, "test": 0.0},
            {"train": 1.0, "test": 0.0},
            {"validation": 0.5, "test": 0.5},
            {"train": 1 - 1e-17, "test": 1e-17},
        ]
    ),
    st.lists(st.text("ab ", max_size=5), min_size=1),
)
def test_only_splits_with_a_share_get_texts(fractions: dict[str, float], texts: list[str]) -> None:
    assert set(splits_of(texts, fractions)) <= {name for name, share in fractions.items() if share}


@pytest.mark.parametrize("form", ["{}", "a {}", "{} a", "a long text that is the same but for {}"])
def test_shares_are_as_asked_for_also_of_similar_texts(form: str) -> None:
    texts = [form.format(number) for number in range(50_000)]
    found = splits_of(texts, {"train": 0.7, "validation": 0.2, "test": 0.1})
    shares = [found.count(split) / len(texts) for split in SPLITS]
    assert shares == pytest.approx([0.7, 0.2, 0.1], abs=0.01)
    # Every tenth of them has its shares too.
    tenths = [found[first::10].count("train") / 5000 for first in range(10)]
    assert tenths == pytest.approx([0.7] * 10, abs=0.03)


def test_order_of_the_names_does_not_matter() -> None:
    texts = [str(number) for number in range(100)]
    turned = dict(reversed(DEFAULT.items()))
    assert splits_of(texts, turned) == splits_of(texts, DEFAULT)


def test_tokens_of_the_basic_tokenizer_give_the_same_splits(shared_data: Path) -> None:
    lines = (shared_data / "corpora" / "rt-polarity.tsv").read_bytes().decode().split("\n")
    texts = pa.array(lines, pa.string())
    by_tokens = assign_splits_by_tokens(make_tokenizer("basic")(texts), DEFAULT)
    assert by_tokens.tolist() == assign_splits(texts, DEFAULT).tolist()
    # A slice holds tokens of other rows too.
    part = make_tokenizer("basic")(texts)[100:200]
    assert assign_splits_by_tokens(part, DEFAULT).tolist() == by_tokens[100:200].tolist()


def test_no_texts_have_no_splits() -> None:
    assert splits_of([], DEFAULT) == []
