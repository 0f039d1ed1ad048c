"""A plan finds out what a corpus is, and finds what is wrong with it before anything runs."""

from __future__ import annotations

import gzip
import io
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from formats.blocks import UNASSIGNED_SPLIT
from formats.errors import DataError, EmbprepError, UsageError
from tests.formats.corpus.corpus_files import Corpus, corpus_of, pairs


def parquet_file(table: dict[str, Any], **options: Any) -> bytes:
    file = io.BytesIO()
    pq.write_table(pa.table(table), file, **options)
    return file.getvalue()


PARQUET_FILE = parquet_file({"text": ["a"], "label": ["b"]})


@pytest.mark.parametrize(
    ("name", "data", "format"),
    [
        ("a.csv", b"text,label\n", "csv"),
        ("a.TSV", b"text\tlabel\n", "tsv"),
        ("a.jsonl", b'{"text": "", "label": ""}', "jsonl"),
        ("a.ndjson", b'{"text": "", "label": ""}', "jsonl"),
        ("a.parquet", PARQUET_FILE, "parquet"),
        ("a.csv.gz", gzip.compress(b"text,label\n"), "csv"),
        # Packed, though the name does not say so.
        ("a.csv", gzip.compress(b"text,label\n"), "csv"),
        ("a.txt", b"a plain text\n", "text"),
        ("a.txt", b"\xef\xbb\xbf__label__a text\n", "fasttext"),
        ("a.json", b'{"text": "", "label": ""}', "jsonl"),
        ("a", PARQUET_FILE, "parquet"),
        ("csv/a", b"a plain text\n", "text"),
        ("a.txt.gz", gzip.compress(b"__label__a text\n"), "fasttext"),
        ("empty", b"", "text"),
        ("empty.csv", b"", "csv"),
    ],
)
def test_auto_goes_by_the_extension_and_then_by_the_first_bytes(
    name: str, data: bytes, format: str
) -> None:
    plan = Corpus(**{name: data}).plan("auto")
    assert plan.format == format
    assert plan.labelled == (format != "text")
    assert plan.files == 1


@pytest.mark.parametrize("format", ["csv", "tsv"])
@pytest.mark.parametrize(
    ("data", "text", "label", "expected"),
    [
        (b"id,text,label\n1,t,l\n", None, None, [("l", "t")]),
        (b"\xef\xbb\xbftext,label\r\nt,l\r\n", None, None, [("l", "t")]),
        (b"body,class\nt,l\n", "body", "class", [("l", "t")]),
        (b"t,l\nu,m\n", "0", "1", [("l", "t"), ("m", "u")]),
        (b"t,l\nu,m\n", "1", "0", [("t", "l"), ("u", "m")]),
        # Numbers that stand in the first row are names.
        (b"1,0\nt,l\n", "1", "0", [("l", "t")]),
        (b"text\nt\n", None, "", [(None, "t")]),
        (b"t\nu\n", "0", "", [(None, "t"), (None, "u")]),
        (b"text,label\n", None, None, []),
    ],
)
def test_columns_are_found_by_header_or_index(
    format: str, data: bytes, text: str | None, label: str | None, expected: list[Any]
) -> None:
    data = data if format == "csv" else data.replace(b",", b"\t")
    rows = corpus_of(data).read(format, text_column=text, label_column=label)
    assert pairs(rows) == expected


COMPLAINTS: list[tuple[str, bytes, dict[str, str], type[EmbprepError], str]] = [
    ("csv", b"body,label\n", {}, UsageError, "^a: no column is called 'text'.*'body', 'label'; "
     "name one with --text_column"),
    ("tsv", b"text\tclass\n", {}, UsageError, "no column is called 'label'.*--label_column, by "
     "0-based index.*--label_column= .empty. reads a corpus without labels"),
    ("csv", b"t,l\n", {"text_column": "0"}, UsageError, "no column is called '0'"),
    ("csv", b"t,l\n", {"text_column": "0", "label_column": "2"}, UsageError, "there is no column "
     "2; its columns, counted from 0: 't', 'l'; give one with --label_column"),
    ("csv", b"text,text,label\n", {}, UsageError, "2 columns are called 'text'"),
    ("csv", b"text,label\n", {"text_column": ""}, UsageError, "no column is called ''"),
    ("csv", b'"text" x,label\n', {}, DataError, "byte 0.*wrong quoting"),
    ("jsonl", b'\n{"body": "", "label": 1}\n', {}, UsageError, "'text'; its columns: 'body', "),
    ("jsonl", b'[\n{"text": ""}\n]', {}, UsageError, "no column is called 'label'"),
    ("jsonl", b'[{"text": "", "label": 1}]', {}, DataError, "expected a JSON object on each line"),
    ("parquet", PARQUET_FILE, {"text_column": "body"}, UsageError, "'body'; its columns: 'text', "),
    ("parquet", PARQUET_FILE[:-5], {}, DataError, "^a: not a Parquet file"),
    ("parquet", parquet_file({"text": [1], "label": [1]}), {}, UsageError, "holds int64, not text"),
    ("parquet", parquet_file({"text": ["a"], "label": [["b"]]}), {}, UsageError, "holds list<.*not "
     "one label a row"),
    ("text", "text".encode("utf-16"), {}, DataError, "byte 0.*text in UTF-16; save it as UTF-8"),
    ("auto", b"PK\x03\x04", {}, DataError, "a zip archive; unpack it"),
    ("auto", b"version https://git-lfs.github.com/spec/v1\n", {}, DataError, "git lfs pull"),
    ("auto", gzip.compress(b"text\n" * 9)[:5], {}, DataError, "expected more compressed data"),
    ("directory", b"text", {}, UsageError, "no file is called CLASS/NAME.txt"),
    ("xml", b"text", {}, UsageError, "--corpus_format xml: expected auto, text, fasttext"),
]  # fmt: skip


@pytest.mark.parametrize(("format", "data", "flags", "error", "message"), COMPLAINTS)
def test_a_plan_says_what_is_wrong_and_what_to_do(
    format: str, data: bytes, flags: dict[str, str], error: type[EmbprepError], message: str
) -> None:
    with pytest.raises(error, match=message):
        corpus_of(data).plan(format, **flags)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"a.csv": b"text,label\n", "b.tsv": b"text\tlabel\n"}, "a.csv is csv, but b.tsv is tsv"),
        (
            {"a.csv": b"text,label\n", "b.csv": b"label,text\n"},
            r"the columns of b.csv \(label, text\) are not those of a.csv \(text, label\)",
        ),
        ({"a.csv": b"text,label\n", "b.csv": b"text,label,id\n"}, "the columns of b.csv"),
    ],
)
def test_files_of_one_corpus_must_agree(files: dict[str, bytes], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Corpus(**files).plan("auto")


def test_files_without_header_must_have_as_many_columns() -> None:
    corpus = Corpus(a=b"t,l\n", b=b"t,l,x\n")
    with pytest.raises(UsageError, match=r"b \(3, without a header\).*a \(2, without a header\)"):
        corpus.plan("csv", text_column="0", label_column="1")


def test_every_file_has_its_own_header_and_empty_files_have_none() -> None:
    corpus = Corpus(a=b"", b=b"text\tlabel\none\tx\n", c=b"text\tlabel\ntwo\ty\n")
    assert pairs(corpus.read("tsv")) == [("x", "one"), ("y", "two")]


def test_ranges_cut_lines_but_not_csv_nor_packed_files() -> None:
    body = b"text\tlabel\n" + b"t\tl\n" * 100
    lengths = {
        ("tsv", body): 5,
        ("csv", body.replace(b"\t", b",")): 1,
        ("tsv", gzip.compress(body)): 1,
    }
    for (format, data), ranges in lengths.items():
        assert len(corpus_of(data).plan(format, range_bytes=100).ranges) == ranges


def test_parquet_types_become_texts_and_labels() -> None:
    for labels, expected in [
        ([1, -2], ["1", "-2"]),
        ([True, False], ["true", "false"]),
        (pa.array(["x", "y"]).dictionary_encode(), ["x", "y"]),
        (pa.array(["x", "y"], pa.large_string()), ["x", "y"]),
        (pa.array([1, 2], pa.uint8()), ["1", "2"]),
    ]:
        texts = pa.array(["one", "two"]).dictionary_encode()
        data = parquet_file({"text": texts, "other": [0, 0], "label": labels})
        rows = corpus_of(data).read("auto")
        assert pairs(rows) == list(zip(expected, ["one", "two"], strict=True))


def test_json_values_become_labels() -> None:
    lines = [b'{"text": "t", "label": %s}' % value for value in (b"1", b"true", b"false", b'" x "')]
    rows = corpus_of(b"\n".join(lines)).read("jsonl")
    assert [row["label"] for row in rows] == ["1", "true", "false", "x"]


CLASS_FILES = {
    "d/neg/2.txt": b"bad\nfilm",
    "d/neg/deep/3.txt": b"worse",
    "d/pos/1.txt": b"good",
}


@pytest.mark.parametrize("pattern", ["d", "d/"])
def test_class_folders_give_the_labels(pattern: str) -> None:
    corpus = Corpus(**CLASS_FILES)
    plan = corpus.plan("auto", pattern=pattern)
    assert (plan.format, plan.labelled, plan.files, plan.warnings) == ("directory", True, 3, [])
    rows = corpus.read("auto", pattern=pattern, first_file=4)
    assert pairs(rows) == [("neg", "bad\nfilm"), ("neg", "worse"), ("pos", "good")]
    assert [row["file"] for row in rows] == [4, 5, 6]


@pytest.mark.parametrize("block_bytes", [1, 6, 100])
@pytest.mark.parametrize("range_bytes", [1, 6, 100])
def test_small_files_share_ranges_and_change_nothing(block_bytes: int, range_bytes: int) -> None:
    corpus = Corpus(**CLASS_FILES)
    rows = corpus.read("auto", block_bytes, pattern="d", range_bytes=range_bytes)
    assert rows == corpus.read("auto", pattern="d")


def test_a_range_has_at_most_2000_files() -> None:
    corpus = Corpus(**{f"d/a/{number:04}.txt": b"x" for number in range(4500)})
    plan = corpus.plan("auto", pattern="d")
    assert [len(work.uris) for work in plan.ranges] == [2000, 2000, 500]
    assert [work.first_file for work in plan.ranges] == [0, 2000, 4000]


def test_files_beside_the_classes_are_left_out_with_a_warning() -> None:
    beside = {"d/labeledBow.feat": b"", "d/neg/.DS_Store": b""}
    corpus = Corpus(**CLASS_FILES, **beside)
    assert len(corpus.read("auto", pattern="d")) == 3
    [warning] = corpus.plan("auto", pattern="d").warnings
    assert "2 files are not CLASS/NAME.txt and were left out, such as d/labeledBow.feat" in warning


def test_a_folder_of_text_files_is_no_folder_of_classes() -> None:
    corpus = Corpus(**{"d/1.txt": b"one\n", "d/2.txt": b"two\n", "d/old/3.txt": b"three\n"})
    plan = corpus.plan("auto", pattern="d")
    assert (plan.format, plan.labelled, plan.files) == ("text", False, 3)


def test_a_plan_without_labels_is_unlabelled_whatever_the_format() -> None:
    for format, data in {"csv": b"text\n", "fasttext": b"__label__a b\n"}.items():
        plan = corpus_of(data).plan(format, label_column="")
        assert not plan.labelled
    assert not Corpus(**CLASS_FILES).plan("auto", pattern="d", label_column="").labelled
    rows = Corpus(**CLASS_FILES).read("auto", pattern="d", label_column="")
    assert [row["label"] for row in rows] == [None] * 3
    assert [row["split"] for row in rows] == [UNASSIGNED_SPLIT] * 3
