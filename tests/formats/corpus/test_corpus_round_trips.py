"""What other programs write is read back; real corpora are read whole."""

from __future__ import annotations

import csv
import gzip
import io
import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.formats.corpus.corpus_files import corpus_of, open_path, pairs, plan_paths, read_ranges

COMMON = "ab\"',\u00a0\u0085\u2028\u00e9 "


def characters_without(excluded: str) -> st.SearchStrategy[str]:
    return st.characters(exclude_categories=["Cs"], exclude_characters=excluded) | st.sampled_from(
        COMMON
    )


ANY_CHARACTER = characters_without("\0")
LINE_CHARACTER = characters_without("\0\n\r")
FIELD_CHARACTER = characters_without("\0\n\r\t")


def texts(characters: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.text(characters, min_size=1).filter(lambda text: text.strip() != "")


def labels(characters: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return texts(characters).map(str.strip)


def labelled_rows(
    characters: st.SearchStrategy[str],
) -> st.SearchStrategy[list[tuple[str, str]]]:
    return st.lists(st.tuples(labels(characters), texts(characters)), max_size=8)


block_sizes = st.integers(1, 200)


@given(st.lists(texts(LINE_CHARACTER)), block_sizes, block_sizes)
def test_text(lines: list[str], block_bytes: int, range_bytes: int) -> None:
    data = "\n".join(lines).encode()
    rows = corpus_of(data).read("text", block_bytes, range_bytes=range_bytes)
    # A byte order mark at the start of the file is no text.
    expected = [*(line.removeprefix("\ufeff") for line in lines[:1]), *lines[1:]]
    assert [row["text"] for row in rows] == expected
    if not data.startswith(b"\xef\xbb\xbf"):
        for row in rows:
            assert data[row["offset"] :].startswith(row["text"].encode())


@given(labelled_rows(FIELD_CHARACTER), block_sizes, block_sizes)
def test_tsv(rows: list[tuple[str, str]], block_bytes: int, range_bytes: int) -> None:
    data = "label\ttext\n" + "".join(f"{label}\t{text}\n" for label, text in rows)
    found = corpus_of(data.encode()).read("tsv", block_bytes, range_bytes=range_bytes)
    assert pairs(found) == rows


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
@pytest.mark.parametrize("quoting", [csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
@given(rows=labelled_rows(ANY_CHARACTER), block_bytes=block_sizes)
def test_csv(line_end: str, quoting: int, rows: list[tuple[str, str]], block_bytes: int) -> None:
    # A return before the newline would be part of the line's end.
    rows = [(label, text + "." * text.endswith("\r")) for label, text in rows]
    file = io.StringIO(newline="")
    writer = csv.writer(file, lineterminator=line_end, quoting=quoting)  # type: ignore[arg-type]
    writer.writerows([("label", "text"), *rows])
    data = file.getvalue().encode()
    found = corpus_of(data).read("csv", block_bytes)
    assert pairs(found) == rows
    for row in found:
        assert data[: row["offset"]].endswith(b"\n")
        assert data[row["offset"] :].lstrip(b'"').startswith(row["label"][:1].encode().strip(b'"'))


@given(labelled_rows(ANY_CHARACTER), st.booleans(), block_sizes, block_sizes)
def test_jsonl(
    rows: list[tuple[str, str]], ascii_only: bool, block_bytes: int, range_bytes: int
) -> None:
    lines = [
        json.dumps({"text": text, "label": label}, ensure_ascii=ascii_only) for label, text in rows
    ]
    data = "\n".join(lines).encode()
    found = corpus_of(data).read("jsonl", block_bytes, range_bytes=range_bytes)
    assert pairs(found) == rows


@given(labelled_rows(ANY_CHARACTER), block_sizes, st.integers(1, 5))
@settings(max_examples=50)
def test_parquet(rows: list[tuple[str, str]], block_bytes: int, row_group_size: int) -> None:
    table = {
        "label": pa.array([label for label, _ in rows], pa.string()),
        "text": pa.array([text for _, text in rows], pa.string()),
    }
    file = io.BytesIO()
    pq.write_table(pa.table(table), file, row_group_size=row_group_size)
    found = corpus_of(file.getvalue()).read("parquet", block_bytes, range_bytes=1)
    assert pairs(found) == rows


words = st.text(
    st.characters(exclude_categories=["Cs", "Cc", "Z"]) | st.sampled_from("ab_\u00a0"), min_size=1
).filter(lambda word: word.strip() != "" and not word.startswith("__label__"))


@given(
    st.lists(st.tuples(words.map(str.strip), st.lists(words, min_size=1))), block_sizes, block_sizes
)
def test_fasttext(rows: list[tuple[str, list[str]]], block_bytes: int, range_bytes: int) -> None:
    lines = [f"__label__{label} {' '.join(text)}\n" for label, text in rows]
    corpus = corpus_of("".join(lines).encode())
    found = corpus.read("fasttext", block_bytes, range_bytes=range_bytes)
    assert pairs(found) == [(label, " ".join(text)) for label, text in rows]


def test_fasttext_labels_stand_anywhere_and_leave_the_words() -> None:
    data = b"one two\t__label__a\n one __label__a two\n__label__a__label__b  one __label_ two \n"
    rows = corpus_of(data).read("fasttext")
    assert pairs(rows) == [
        ("a", "one two"),
        ("a", " one two"),
        ("a__label__b", "one __label_ two "),
    ]


@given(st.binary(max_size=60), st.sampled_from(["text", "fasttext", "tsv", "jsonl"]), block_sizes)
def test_any_bytes_are_rows_or_rejects(data: bytes, format: str, range_bytes: int) -> None:
    head = {"tsv": b"text\tlabel\n", "jsonl": b'{"text": "a", "label": "b"}\n'}.get(format, b"x\n")
    corpus = corpus_of(head + data)
    rows, rejects = corpus.read_all(format, range_bytes=range_bytes)
    lines = (head + data).removesuffix(b"\n").count(b"\n") + (format != "tsv")
    assert len(rows) + len(rejects) == lines
    for row in rows:
        assert row["text"].strip() != ""


def test_sentence_polarity_is_read_whole(shared_data: Path) -> None:
    path = shared_data / "corpora" / "rt-polarity.tsv"
    plan = plan_paths(path, [path], range_bytes=100_000)
    assert (plan.format, len(plan.ranges)) == ("tsv", 13)
    rows, rejects = read_ranges(plan.ranges, open_path, 10_000)
    lines = path.read_bytes().decode().split("\n")[1:-1]
    assert rejects == []
    assert pairs(rows) == [tuple(line.split("\t")) for line in lines]
    assert {row["label"] for row in rows} == {"neg", "pos"}


def test_packed_korean_reviews_are_read_whole(shared_data: Path) -> None:
    path = shared_data / "corpora" / "nsmc-200k.tsv.gz"
    plan = plan_paths(path, [path], text_column="document")
    rows, rejects = read_ranges(plan.ranges, open_path)
    lines = gzip.decompress(path.read_bytes()).decode().split("\n")[1:-1]
    expected = [(label, text) for _, text, label in (line.split("\t") for line in lines)]
    assert pairs(rows) == [(label, text) for label, text in expected if text.strip()]
    assert len(rows) + len(rejects) == 200_000
    assert {reject["reason"] for reject in rejects} == {"no text"}


def test_news_without_header_are_read_by_index(shared_data: Path) -> None:
    path = shared_data / "corpora" / "ag-news.tsv"
    plan = plan_paths(path, [path], text_column="0", label_column="1")
    rows, rejects = read_ranges(plan.ranges, open_path)
    assert rejects == []
    assert len(rows) == path.read_bytes().count(b"\n")
    assert {row["label"] for row in rows} == {"Business", "Sci/Tech", "Sports", "World"}
