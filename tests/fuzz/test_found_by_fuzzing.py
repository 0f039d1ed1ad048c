"""Files that readers once failed at in another way than by an error that names them."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from formats.corpus.plan import CorpusFile, plan_corpus
from formats.corpus.read import read_range
from formats.dataset.vocabulary import VOCABULARY_TABLE
from formats.errors import DataError
from formats.vectors import source
from formats.vectors.fasttext_bin import read_dictionary
from tests.fuzz.target import open_bytes, opener


def open_vectors(data: bytes) -> source.VectorSource:
    return source.open_source(0, "vectors.zip", len(data), opener(data))


def read_corpus(data: bytes, format: str) -> tuple[list[Any], list[Any]]:
    plan = plan_corpus(
        "corpus",
        [CorpusFile("corpus", len(data))],
        format=format,
        text_column=None,
        label_column="",
        split=0,
        first_file=0,
        range_bytes=1 << 20,
        open_file=opener(data),
    )
    blocks = [block for work in plan.ranges for block in read_range(work, opener(data))]
    return (
        [text for block in blocks for text in block.rows.column("text").to_pylist()],
        [reason for block in blocks for reason in block.rejects.column("reason").to_pylist()],
    )


def zip_archive(*, name: bytes = b"a", offset: int = 0, extra: bytes = b"") -> bytes:
    body = b"x 1\ny 2.5\n"
    sizes = struct.pack("<3L", zlib.crc32(body), len(body), len(body))
    local = b"PK\3\4" + struct.pack("<5H", 20, 0, 0, 0, 33) + sizes
    local += struct.pack("<2H", len(name), 0) + name + body
    central = b"PK\1\2" + struct.pack("<6H", 20, 20, 0, 0, 0, 33) + sizes
    central += struct.pack("<5H2L", len(name), len(extra), 0, 0, 0, 0, offset) + name + extra
    end = struct.pack("<4H2LH", 0, 0, 1, 1, len(central), len(local), 0)
    return local + central + b"PK\5\6" + end


def test_the_member_of_a_zip_archive_may_have_an_empty_name() -> None:
    data = zip_archive(name=b"")
    vectors = open_vectors(data)
    [records, _] = source.read_range(vectors, source.whole_range(vectors), opener(data))
    assert records.tokens == [b"x", b"y"]


@pytest.mark.parametrize("offset", [1 << 20, 1 << 45, (1 << 63) - 1, 1 << 63, (1 << 64) - 1])
def test_a_zip_member_outside_of_its_archive_is_damage(offset: int) -> None:
    extra = struct.pack("<2HQ", 1, 8, offset)
    with pytest.raises(DataError, match=rf"^vectors\.zip#a: byte {offset}: expected a zip local"):
        open_vectors(zip_archive(offset=0xFFFFFFFF, extra=extra))


def test_a_fasttext_matrix_larger_than_any_file_is_damage() -> None:
    rows, dim = (1 << 31) - 1, 65535
    data = struct.pack("<2i", 793712314, 12)
    data += struct.pack("<12id", dim, 5, 5, 1, 5, 1, 2, 2, rows, 3, 6, 100, 1e-4)
    data += struct.pack("<3i2q", 0, 0, 0, 0, -1) + b"\0" + struct.pack("<2q", rows, dim)
    with pytest.raises(DataError, match=r"^model\.bin: byte 562\d+: .* the end of the file"):
        read_dictionary(open_bytes(data), set(), name="model.bin")


def test_jsonl_may_begin_with_a_line_that_is_not_utf8() -> None:
    data = b'{"text": "\xff"}\n{"text": "a"}\n'
    assert read_corpus(data, "jsonl") == (["a"], ["bad UTF-8"])
    with pytest.raises(DataError, match="^corpus: expected a JSON object on each line"):
        read_corpus(b"\xff\n", "jsonl")


def parquet(table: Any) -> bytes:
    file = io.BytesIO()
    pq.write_table(table, file, compression="none", use_dictionary=False, store_schema=False)
    return file.getvalue()


def test_a_parquet_corpus_whose_columns_are_not_utf8_is_damage() -> None:
    data = parquet(pa.table({"text": ["a"]})).replace(b"text", b"te\xfft")
    with pytest.raises(DataError, match="^corpus: not a Parquet file that can be read: .*utf-8"):
        read_corpus(data, "parquet")


VOCABULARY = pa.table(
    [["[PAD]", "[UNK]", "word"], [0, 0, 1], [None, None, "v"], [None] * 3, [False] * 3],
    schema=VOCABULARY_TABLE,
)


def shard(**columns: Any) -> bytes:
    vectors = pa.FixedSizeListArray.from_arrays(pa.array([0.0, 1, 2, 3], pa.float32()), 2)
    whole = {"id": pa.array([0, 1], pa.int32()), "token": ["[PAD]", "word"], "vector": vectors}
    file = io.BytesIO()
    pq.write_table(pa.table(whole | columns), file, compression="none", use_dictionary=False)
    return file.getvalue()
