"""Rows that can't be used are told by reason, place and excerpt, and never vanish."""

from __future__ import annotations

import gzip
import io
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from formats.corpus.rows import REASONS
from formats.errors import DataError
from tests.formats.corpus.corpus_files import Corpus, Row, corpus_of, pairs

# Format, header, bad line, reason, for each format and each reason that it can have.
BAD_LINES = [
    ("text", b"", b"", "no text"),
    ("text", b"", b" \t\xc2\xa0\xe3\x80\x80", "no text"),
    ("text", b"", b"caf\xe9", "bad UTF-8"),
    ("text", b"", b"a\x00b", "bad UTF-8"),
    ("text", b"", b"\xed\xa0\x80 surrogate", "bad UTF-8"),
    ("text", b"", b"\xc0\x80 overlong", "bad UTF-8"),
    ("fasttext", b"", b"", "no text"),
    ("fasttext", b"", b"__label__a", "no text"),
    ("fasttext", b"", b"__label__a \t ", "no text"),
    ("fasttext", b"", b"words alone", "no label"),
    ("fasttext", b"", b"__label__ words", "no label"),
    ("fasttext", b"", b"__label__a __label__b words", "several labels"),
    ("fasttext", b"", b"__label__a words __label__b", "several labels"),
    ("fasttext", b"", b"__label__a caf\xe9", "bad UTF-8"),
    ("fasttext", b"", b"__label__\xe9 words", "bad UTF-8"),
    ("tsv", b"label\ttext\n", b"", "wrong column count"),
    ("tsv", b"label\ttext\n", b"a", "wrong column count"),
    ("tsv", b"label\ttext\n", b"a\tb\tc", "wrong column count"),
    ("tsv", b"label\ttext\n", b"a\t ", "no text"),
    ("tsv", b"label\ttext\n", b" \twords", "no label"),
    ("tsv", b"label\ttext\n", b"a\tcaf\xe9", "bad UTF-8"),
    ("tsv", b"label\ttext\n", b"\xe9\twords", "bad UTF-8"),
    ("csv", b"label,text\n", b"", "wrong column count"),
    ("csv", b"label,text\n", b"a", "wrong column count"),
    ("csv", b"label,text\n", b"a,b,c", "wrong column count"),
    ("csv", b"label,text\n", b'a,""', "no text"),
    ("csv", b"label,text\n", b",words", "no label"),
    ("csv", b"label,text\n", b"a,caf\xe9", "bad UTF-8"),
    ("csv", b"label,text\n", b"a,\x00", "bad UTF-8"),
    ("csv", b"label,text\n", b'a,"b" c', "bad quoting"),
    ("csv", b"label,text\n", b"a,b\rc,d", "wrong column count"),
    ("jsonl", b"", b"", "no text"),
    ("jsonl", b"", b"no json", "bad JSON"),
    ("jsonl", b"", b'{"text": "a", "label": "b"', "bad JSON"),
    ("jsonl", b"", b'["a", "b"]', "bad JSON"),
    ("jsonl", b"", b'{"text": "a", "label": NaN}', "bad JSON"),
    ("jsonl", b"", b'{"text": "a", "label": ["b"]}', "bad JSON"),
    ("jsonl", b"", b"[" * 100_000, "bad JSON"),
    ("jsonl", b"", b'{"label": "a"}', "no text"),
    ("jsonl", b"", b'{"text": null, "label": "a"}', "no text"),
    ("jsonl", b"", b'{"text": 5, "label": "a"}', "no text"),
    ("jsonl", b"", b'{"text": "\\n", "label": "a"}', "no text"),
    ("jsonl", b"", b'{"text": "a"}', "no label"),
    ("jsonl", b"", b'{"text": "a", "label": null}', "no label"),
    ("jsonl", b"", b'{"text": "a", "label": " "}', "no label"),
    ("jsonl", b"", b'{"text": "caf\xe9", "label": "a"}', "bad UTF-8"),
    ("jsonl", b"", b'{"text": "\\ud800", "label": "a"}', "bad UTF-8"),
]

GOOD_LINES = {
    "text": b"good words",
    "fasttext": b"__label__a good words",
    "tsv": b"a\tgood words",
    "csv": b"a,good words",
    "jsonl": b'{"text": "good words", "label": "a"}',
}


@pytest.mark.parametrize(("format", "header", "line", "reason"), BAD_LINES)
def test_a_bad_line_is_rejected_between_good_ones(
    format: str, header: bytes, line: bytes, reason: str
) -> None:
    good = GOOD_LINES[format]
    data = header + good + b"\n" + line + b"\n" + good + b"\n"
    rows, rejects = corpus_of(data).read_all(format)
    assert [row["text"] for row in rows] == ["good words"] * 2
    assert rejects == [
        {
            "file": "a",
            "offset": len(header + good) + 1,
            "reason": reason,
            "excerpt": line.decode(errors="replace")[:200],
        }
    ]


def test_all_reasons_are_tested() -> None:
    assert {reason for *_, reason in BAD_LINES} == set(REASONS) - {""}


def test_an_excerpt_has_200_characters_of_any_length() -> None:
    _, [reject] = corpus_of(b"\xff" + "\U0001f600".encode() * 300).read_all("text")
    assert reject["excerpt"] == "\ufffd" + "\U0001f600" * 199


def test_a_corpus_without_labels_lacks_none() -> None:
    data = {
        "fasttext": b"words\n__label__a words\n__label__a __label__b words\n",
        "tsv": b"text\tlabel\nwords\t\nwords\ta\nwords\t\xe9\n",
        "csv": b"text,label\nwords,\nwords,a\nwords,\xe9\n",
        "jsonl": b'{"text": "words"}\n{"text": "words", "label": ["a"]}\n{"text": "words"}\n',
    }
    for format, content in data.items():
        rows = corpus_of(content).read(format, label_column="")
        assert [(row["label"], row["text"]) for row in rows] == [(None, "words")] * 3


def parquet_rejects(**columns: pa.Array) -> list[Row]:
    file = io.BytesIO()
    pq.write_table(pa.table(columns), file)
    return corpus_of(file.getvalue()).read_all("parquet")[1]


def test_parquet_rows_are_rejected_by_row_number() -> None:
    not_utf8 = pa.array([b"a", b"caf\xe9"]).view(pa.string())
    good = pa.array(["a", "b"])
    for text, label, reason, excerpt in [
        (pa.array(["a", None]), good, "no text", ""),
        (pa.array(["a", " "]), good, "no text", " "),
        (not_utf8, good, "bad UTF-8", "caf\ufffd"),
        (good, not_utf8, "bad UTF-8", "b"),
        (good, pa.array(["a", None]), "no label", "b"),
        (good, pa.array([1.0, float("nan")]), "no label", "b"),
    ]:
        expected = {"file": "a", "offset": 1, "reason": reason, "excerpt": excerpt}
        assert parquet_rejects(text=text, label=label) == [expected]


def test_directory_files_are_rejected_whole() -> None:
    files = {"d/a/1.txt": b"fine", "d/a/2.txt": b"\xff\xfea\x00", "d/b/3.txt": b" \n"}
    rows, rejects = Corpus(**files).read_all("directory", pattern="d", first_file=7)
    assert pairs(rows) == [("a", "fine")]
    assert [(reject["file"], reject["offset"], reject["reason"]) for reject in rejects] == [
        ("d/a/2.txt", 0, "bad UTF-8"),
        ("d/b/3.txt", 0, "no text"),
    ]


@pytest.mark.parametrize("packed", [False, True])
def test_a_quote_that_stays_open_is_damage_with_its_place(packed: bool) -> None:
    data = b'label,text\na,"fine"\nb,"open\nc,swallowed\n'
    corpus = corpus_of(gzip.compress(data) if packed else data)
    with pytest.raises(DataError, match=r"^a: byte 20: expected a quote that closes"):
        corpus.read_all("csv")


@pytest.mark.parametrize("cut", [30, -4])
def test_a_cut_gzip_file_is_damage_with_its_place(cut: int) -> None:
    lines = b"".join(b"line %d\n" % number for number in range(1000))
    corpus = corpus_of(gzip.compress(lines)[:cut])
    with pytest.raises(DataError, match=r"^a: decompressed byte \d+: expected more compressed"):
        corpus.read_all("text")


def test_a_line_without_end_is_damage_and_not_read_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in ("lines", "csv", "directory"):
        monkeypatch.setattr(f"formats.corpus.{module}.MAX_ROW_BYTES", 1000)
    for format, data in {
        "text": b"short\n" + b"x" * 2000,
        "csv": b'text\na\n"' + b"x\n" * 1000 + b'"\n',
    }.items():
        with pytest.raises(DataError, match="expected the end of the row"):
            corpus_of(data).read_all(format, 100, label_column="")
    with pytest.raises(DataError, match="expected the end of the row"):
        Corpus(**{"d/a/1.txt": b"x" * 2000}).read_all("directory", pattern="d")


def test_json_escapes_make_no_difference() -> None:
    line = json.dumps({"text": "caf\u00e9 \U0001f600", "label": "\u00e9"}).encode()
    assert line.isascii()
    assert pairs(corpus_of(line).read("jsonl")) == [("\u00e9", "caf\u00e9 \U0001f600")]


@pytest.mark.parametrize("block_bytes", [1, 12, 4 << 20])
def test_a_quote_too_many_costs_its_own_line_only(block_bytes: int) -> None:
    lines = [b"label,text", b'a,"open', b"b,one", b'c,"two', b'lines"', b'd,"x" y', b"e,five", b""]
    rows, rejects = corpus_of(b"\n".join(lines)).read_all("csv", block_bytes)
    assert pairs(rows) == [("b", "one"), ("c", "two\nlines"), ("e", "five")]
    assert [row["offset"] for row in rows] == [19, 25, 47]
    assert [(reject["offset"], reject["reason"], reject["excerpt"]) for reject in rejects] == [
        (11, "bad quoting", 'a,"open'),
        (39, "bad quoting", 'd,"x" y'),
    ]
