"""Files that readers once failed at in another way than by an error that names them."""

from __future__ import annotations

import gc
import io
import json
import struct
import sys
import zlib
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from formats.corpus.lines import MAX_BLOCK_ROWS
from formats.corpus.plan import CorpusFile, plan_corpus
from formats.corpus.ranges import CorpusBlock
from formats.corpus.read import read_range
from formats.dataset.embedding_matrix import NPY, PARQUET, read_shard
from formats.dataset.manifest import parse_manifest
from formats.dataset.tfrecord import GZIP, NONE, read_records
from formats.dataset.vocabulary import VOCABULARY_TABLE, read_vocabulary_table
from formats.errors import DataError
from formats.safetensors import read_header
from formats.vectors import source
from formats.vectors.fasttext_bin import read_dictionary
from tests.fuzz.target import open_bytes, opener, peak_memory
from tests.fuzz.targets import TARGETS


def open_vectors(data: bytes) -> source.VectorSource:
    return source.open_source(0, "vectors.zip", len(data), opener(data))


def corpus_blocks(data: bytes, format: str) -> list[CorpusBlock]:
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
    return [block for work in plan.ranges for block in read_range(work, opener(data))]


def read_corpus(data: bytes, format: str) -> tuple[list[Any], list[Any]]:
    blocks = corpus_blocks(data, format)
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


def test_a_gzip_header_longer_than_a_buffer_is_damage() -> None:
    data = b"\x1f\x8b\x08\x08" + bytes(6) + b"x" * (1 << 20)
    with pytest.raises(DataError, match=r"^vectors\.zip: decompressed byte 0: .* Gzip header exc"):
        open_vectors(data)
    with pytest.raises(DataError, match="^records: record 0, byte 0: .* Gzip header exceeds"):
        next(read_records(open_bytes(data), GZIP, "records"))


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


def test_rows_without_a_space_do_not_each_take_the_rest_of_a_block() -> None:
    data = b"a 1.5\n" * 100 + b"b\n" * 50_000
    vectors = open_vectors(data)
    before = peak_memory()
    with pytest.raises(DataError, match=r"^vectors\.zip: row 101, byte 600: expected a token"):
        list(source.read_range(vectors, source.whole_range(vectors), opener(data)))
    assert peak_memory() - before < 64 << 20


def test_a_word2vec_header_of_absurd_dimensions_is_damage() -> None:
    # Else all of the file would be gathered for one record, block by block.
    with pytest.raises(
        DataError, match=r"^vectors\.zip: row 1, byte 12: expected a token and 9999"
    ):
        open_vectors(b"1 999999999\na " + bytes(5000))


@pytest.mark.timeout(20)
def test_a_word2vec_range_of_spaces_before_a_long_token_is_given_up_soon() -> None:
    # Each of the spaces was taken for the end of a record before that token.
    start = 1 << 20
    good = b"1000000000 300\nw " + bytes(1200)
    data = good.ljust(start - 16, b"\1") + b" " * 1300 + b"a" * 900000 + b" " + bytes(1 << 18)
    vectors = open_vectors(data)
    work = source.cut_ranges(vectors, start)[1]
    [report] = source.read_range(vectors, work, opener(data))
    assert report.problem == f"no record found behind byte {start - 16}"


@pytest.mark.parametrize(
    ("format", "head"), [("text", b""), ("csv", b"text\n"), ("jsonl", b'{"text": "a"}\n')]
)
def test_blank_rows_come_in_blocks_of_bounded_memory(format: str, head: bytes) -> None:
    rows = 3 * MAX_BLOCK_ROWS // 2
    data = head + b"\n" * rows + b'{"text": "last"}'
    blocks = corpus_blocks(data, format)
    assert max(len(block.rejects) for block in blocks) <= MAX_BLOCK_ROWS
    offsets = [offset for block in blocks for offset in block.rejects.column("offset").to_pylist()]
    assert offsets == list(range(len(head), len(head) + rows))
    assert sum(block.bytes_read for block in blocks) in (len(data), len(data) - len(head))


def test_a_text_that_comes_again_and_again_is_not_read_in_one_batch() -> None:
    file = io.BytesIO()
    pq.write_table(pa.table({"text": ["the same " * 100] * 50_000}), file)
    blocks = corpus_blocks(file.getvalue(), "parquet")
    assert max(block.rows.nbytes for block in blocks) < 16 << 20
    assert sum(len(block.rows) for block in blocks) == 50_000


def test_jsonl_may_begin_with_a_line_that_is_not_utf8() -> None:
    data = b'{"text": "\xff"}\n{"text": "a"}\n'
    assert read_corpus(data, "jsonl") == (["a"], ["bad UTF-8"])
    with pytest.raises(DataError, match="^corpus: expected a JSON object on each line"):
        read_corpus(b"\xff\n", "jsonl")


def parquet(table: Any) -> bytes:
    file = io.BytesIO()
    pq.write_table(table, file, compression="none", use_dictionary=False, store_schema=False)
    return file.getvalue()


def test_a_parquet_corpus_with_fewer_rows_than_it_says_is_damage() -> None:
    file = io.BytesIO()
    pq.write_table(pa.table({"text": ["a"] * 82}), file, row_group_size=77)
    # The last count of 77, a varint in zigzag, is that of the first row group.
    head, count, tail = file.getvalue().rpartition(b"\x16\x9a\x01")
    whole = corpus_blocks(head + count + tail, "parquet")
    assert sum(block.rows.num_rows for block in whole) == 82
    with pytest.raises(DataError, match="corpus: row 82: expected 83 rows up to row group 1"):
        corpus_blocks(head + b"\x16\x9c\x01" + tail, "parquet")


def test_a_parquet_corpus_whose_columns_are_not_utf8_is_damage() -> None:
    data = parquet(pa.table({"text": ["a"]})).replace(b"text", b"te\xfft")
    with pytest.raises(DataError, match="^corpus: not a Parquet file that can be read: .*utf-8"):
        read_corpus(data, "parquet")


@pytest.mark.parametrize("found", ["1" + "0" * 400, "-1" + "0" * 308 + "9"])
def test_an_integer_that_no_float_can_hold_is_damage(found: str) -> None:
    [manifest] = TARGETS["manifest"].seeds()
    data = manifest.replace(b'"type_coverage": 0.5', f'"type_coverage": {found}'.encode())
    with pytest.raises(
        DataError, match=r"^manifest\.json: coverage\.type_coverage: expected a num"
    ):
        parse_manifest(data, "manifest.json")


VOCABULARY = pa.table(
    [["[PAD]", "[UNK]", "word"], [0, 0, 1], [None, None, "v"], [None] * 3, [False] * 3],
    schema=VOCABULARY_TABLE,
)


@pytest.mark.parametrize("part", [b"word", b"matched"])
def test_a_vocabulary_table_that_is_not_utf8_is_damage(part: bytes) -> None:
    data = parquet(VOCABULARY).replace(part, b"\xff" + part[1:])
    with pytest.raises(DataError, match="^v: can't be read as Parquet: .*(UTF8|utf-8)"):
        read_vocabulary_table(open_bytes(data), "v")


@pytest.mark.parametrize(
    "header",
    [
        "{'descr': (), 'fortran_order': False, 'shape': (1, 2)}",
        "{'descr': 'f4,(2', 'fortran_order': False, 'shape': (1, 2)}",
        "{'descr': '<f4', 'fortran_order': Fal\x7fse, 'shape': (1, 2)",
        "((",
        "1+" * 4000 + "1",
        "-" * 9000 + "1",
    ],
)
def test_an_npy_header_that_python_fails_to_parse_is_damage(header: str) -> None:
    data = b"\x93NUMPY\1\0" + struct.pack("<H", len(header)) + header.encode()
    with pytest.raises(DataError, match=r"^a\.npy: byte 0: expected a \.npy header"):
        read_shard(open_bytes(data), NPY, "a.npy")


@pytest.mark.parametrize("shape", [(10**18, 0), (0, 1 << 62), (0, 10**30), (-1, -4)])
def test_an_npy_shard_of_an_absurd_shape_is_damage(shape: tuple[int, int]) -> None:
    header = repr({"descr": "<f4", "fortran_order": False, "shape": shape}).encode()
    data = b"\x93NUMPY\1\0" + struct.pack("<H", len(header)) + header
    with pytest.raises(DataError, match=r"^a\.npy: header: expected rows and dimensions"):
        read_shard(open_bytes(data), NPY, "a.npy")


def shard(**columns: Any) -> bytes:
    vectors = pa.FixedSizeListArray.from_arrays(pa.array([0.0, 1, 2, 3], pa.float32()), 2)
    whole = {"id": pa.array([0, 1], pa.int32()), "token": ["[PAD]", "word"], "vector": vectors}
    file = io.BytesIO()
    pq.write_table(pa.table(whole | columns), file, compression="none", use_dictionary=False)
    return file.getvalue()


def test_a_parquet_shard_whose_tokens_are_not_utf8_is_damage() -> None:
    data = shard().replace(b"word", b"\xfford")
    with pytest.raises(DataError, match=r"^shard: can't be read as Parquet: .*UTF8"):
        read_shard(open_bytes(data), PARQUET, "shard")


def test_a_parquet_shard_with_a_null_in_a_vector_is_damage() -> None:
    flat = pa.array([0.0, None, 2, 3], pa.float32())
    data = shard(vector=pa.FixedSizeListArray.from_arrays(flat, 2))
    with pytest.raises(DataError, match="^shard: rows: expected no nulls"):
        read_shard(open_bytes(data), PARQUET, "shard")


def test_a_parquet_shard_of_no_dimensions_is_damage() -> None:
    data = shard(vector=pa.array([[], []], pa.list_(pa.float32(), 0)))
    with pytest.raises(DataError, match="^shard: columns: expected .*vector fixed_size_list"):
        read_shard(open_bytes(data), PARQUET, "shard")


@pytest.mark.parametrize("rows", [-1, 1, 3, 60])
def test_a_parquet_shard_whose_metadata_miscounts_its_rows_is_damage(rows: int) -> None:
    # Two rows as a zigzag varint, between the schema and the list of one row group.
    data = shard().replace(b"\x16\4\x19\x1c", b"\x16%c\x19\x1c" % (2 * rows if rows > 0 else 1))
    with pytest.raises(DataError, match="^shard: (metadata|row [12]): expected .* rows, found"):
        read_shard(open_bytes(data), PARQUET, "shard")


def test_records_that_are_given_up_midway_leave_no_error_behind(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lost: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", lost.append)
    with open_bytes(TARGETS["tfrecord"].seeds()[0]) as file:
        records = read_records(file, NONE, "records")
        assert next(records)
    del records
    gc.collect()
    assert not lost


@pytest.mark.timeout(20)
def test_a_safetensors_shape_of_absurdly_many_dimensions_is_refused_soon() -> None:
    entry = {"dtype": "F32", "shape": [2**63 - 1] * 100_000, "data_offsets": [0, 4]}
    header = json.dumps({"vectors": entry}).encode()
    data = len(header).to_bytes(8, "little") + header + bytes(4)
    with pytest.raises(DataError, match="^s: header, byte 8: .* of a size beyond 64 bits"):
        read_header(open_bytes(data), len(data), "s")
