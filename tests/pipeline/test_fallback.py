"""Words that have a vector in another form, and the row of [UNK]."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from formats.errors import DataError
from pipeline.verify import verify_dataset
from tests.pipeline.built import Dataset, build_dataset

VECTORS = (
    b"the 1 1\nNew 2 2\nYork 4 8\nNew-York 9 9\nUSA 5 5\ncafe 6 6\n#### 7 7\nunk 3 3\n<unk> 8 8\n"
)
TEXT = "The new-york york-new usa café 2023 nothing x-new THE"


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    vectors, corpus = tmp_path / "vectors.txt", tmp_path / "corpus.txt"
    vectors.write_bytes(VECTORS)
    corpus.write_text(f"{TEXT}\n")
    return corpus, vectors


def build(files: tuple[Path, Path], **flags: Any) -> Dataset:
    corpus, vectors = files
    dataset = build_dataset(
        corpus.parent / "out",
        corpus=f"train={corpus}",
        vectors=vectors,
        tokenizer="whitespace",
        **flags,
    )
    assert verify_dataset(str(dataset.output)) == []
    return dataset


def rows(dataset: Dataset) -> dict[str, tuple[str | None, float]]:
    """By token its rule and the first number of its row."""
    matrix = dataset.matrix[:, 0].tolist()
    rules = [row["rule"] for row in dataset.table]
    return {
        token: (rule, number)
        for token, rule, number in zip(dataset.tokens, rules, matrix, strict=True)
        if not token.startswith("[")
    }


def test_first_rule_whose_form_has_a_vector_wins(files):
    rules = ["exact", "lower", "title", "upper", "strip_accents", "digits", "hyphen"]
    dataset = build(files, fallback=rules)
    assert rows(dataset) == {
        "The": ("lower", 1.0),
        "THE": ("lower", 1.0),
        "new-york": ("title", 9.0),
        "york-new": (None, 0.0),
        "usa": ("upper", 5.0),
        "café": ("strip_accents", 6.0),
        "2023": ("digits", 7.0),
        "nothing": (None, 0.0),
        "x-new": (None, 0.0),
    }
    assert dataset.manifest.coverage.by_rule == {
        **dict.fromkeys(rules, 1), "exact": 0, "lower": 2, "hyphen": 0,
    }  # fmt: skip


def test_order_of_the_rules_decides_and_hyphen_gives_the_mean_of_the_parts(files):
    corpus, _ = files
    corpus.write_text("New-York York-New usa\n")
    assert rows(build(files, fallback=["hyphen", "exact"])) == {
        "New-York": ("hyphen", 3.0),
        "York-New": ("hyphen", 3.0),
        "usa": (None, 0.0),
    }


def test_no_rule_lowers_the_coverage(files):
    exact = build(files).manifest.coverage
    for rule in ("lower", "title", "upper", "strip_accents", "digits", "hyphen"):
        assert build(files, fallback=["exact", rule]).manifest.coverage.matched >= exact.matched


@pytest.mark.parametrize(
    ("vectors", "flags", "row"),
    [
        (VECTORS, {}, 8.0),
        (VECTORS.replace(b"<unk>", b"other"), {}, 3.0),
        (VECTORS, {"unk_token": "USA"}, 5.0),
        (b"the 1 1\nof 3 3\n", {}, 0.0),
        (b"The 1 1\nTHE 3 3\n", {"oov": ["mean"]}, 2.0),
        # The file's own row is none of a word, so the mean leaves it out.
        (b"The 1 1\nTHE 3 3\nUNK 9 9\n", {"oov": ["mean"]}, 9.0),
    ],
)
def test_row_of_unk_is_the_files_own_or_by_policy(files, vectors, flags, row):
    files[1].write_bytes(vectors)
    dataset = build(files, **flags)
    assert dataset.matrix[1].tolist() == [row, row]
    assert dataset.matrix[0].tolist() == [0.0, 0.0]
    assert dataset.table[1]["source"] is None
    if flags.get("oov"):
        assert rows(dataset)["nothing"] == (None, 2.0)


@pytest.mark.parametrize(("policy", "found"), [("skip", [0.0, 0.0]), ("replace", [3.0, 4.0])])
def test_tokens_that_are_not_utf8_never_crash_a_build(files, policy, found):
    corpus, vectors = files
    corpus.write_text("good caf\ufffd\n")
    vectors.write_bytes(b"good 1 2\ncaf\xe9 3 4\n")
    dataset = build(files, unicode_errors=policy)
    assert dataset.row("caf\ufffd") == found
    assert dataset.row("good") == [1.0, 2.0]


def test_strict_fails_a_build_at_the_first_token_that_is_not_utf8(files):
    files[1].write_bytes(b"good 1 2\ncaf\xe9 3 4\n")
    with pytest.raises(DataError, match=r"vectors\.txt: byte 9: expected a token in UTF-8"):
        build(files, unicode_errors="strict")
