from __future__ import annotations

import gzip
import io
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from formats.dataset.tfrecord import GZIP, NONE, RecordWriter, read_records
from formats.errors import DataError

RECORDS = [b"", b"a", b"hello" * 50, bytes(range(256))]


def written(records: list[bytes], compression: str) -> bytes:
    file = io.BytesIO()
    with RecordWriter(file, compression) as writer:
        writer.write(pa.array(records, pa.binary()))
    assert not file.closed
    return file.getvalue()


def read(data: bytes, compression: str = NONE) -> list[bytes]:
    return list(read_records(io.BytesIO(data), compression, "train.tfrecord"))


def test_golden_bytes() -> None:
    length, length_crc, data, data_crc = "0300000000000000", "b099490e", "616263", "6e57f121"
    golden = bytes.fromhex(length + length_crc + data + data_crc)
    assert written([b"abc"], NONE) == golden


@pytest.mark.parametrize("compression", [NONE, GZIP])
@given(records=st.lists(st.binary()))
def test_any_records_come_back(compression: str, records: list[bytes]) -> None:
    assert read(written(records, compression), compression) == records


@settings(deadline=None)
@given(records=st.lists(st.binary()), repeated=st.binary(max_size=4))
def test_equals_the_bytes_of_tensorflow(
    tmp_path_factory: Any, records: list[bytes], repeated: bytes
) -> None:
    tf = pytest.importorskip("tensorflow")
    path = str(tmp_path_factory.mktemp("records") / "records")
    records = [*records, *RECORDS, repeated * 1000]
    with tf.io.TFRecordWriter(path) as writer:
        for record in records:
            writer.write(record)
    assert written(records, NONE) == Path(path).read_bytes()


def test_tensorflow_reads_what_is_packed(tmp_path: Path) -> None:
    tf = pytest.importorskip("tensorflow")
    path = tmp_path / "records.gz"
    path.write_bytes(written(RECORDS, GZIP))
    found = tf.data.TFRecordDataset(str(path), compression_type="GZIP")
    assert [record.numpy() for record in found] == RECORDS


def test_what_tensorflow_packs_is_read(tmp_path: Path) -> None:
    tf = pytest.importorskip("tensorflow")
    path = str(tmp_path / "records.gz")
    with tf.io.TFRecordWriter(path, tf.io.TFRecordOptions(compression_type="GZIP")) as writer:
        for record in RECORDS:
            writer.write(record)
    assert read(Path(path).read_bytes(), GZIP) == RECORDS


def test_gzip_has_no_time_no_name_and_holds_the_plain_file() -> None:
    data = written(RECORDS, GZIP)
    assert data[:10] == b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x04\xff"
    assert gzip.decompress(data) == written(RECORDS, NONE)


@pytest.mark.parametrize("compression", [NONE, GZIP])
def test_the_bytes_do_not_depend_on_how_records_are_handed_over(compression: str) -> None:
    records = [bytes([number % 251]) * number for number in range(3000)]
    file = io.BytesIO()
    with RecordWriter(file, compression) as writer:
        for record in records:
            writer.write(pa.array([record]))
        writer.write(pa.array([], pa.binary()))
    assert file.getvalue() == written(records, compression)


def test_a_slice_is_written_alone() -> None:
    file = io.BytesIO()
    with RecordWriter(file, NONE) as writer:
        writer.write(pa.array(RECORDS)[1:3])
    assert file.getvalue() == written(RECORDS[1:3], NONE)


def test_no_records_are_an_empty_file_or_an_empty_gzip_stream() -> None:
    assert written([], NONE) == b""
    assert gzip.decompress(written([], GZIP)) == b""
    assert read(written([], GZIP), GZIP) == []


@pytest.mark.parametrize("compression", [NONE, GZIP])
def test_a_file_cut_anywhere_is_refused_or_ends_with_a_record(compression: str) -> None:
    data = written(RECORDS, compression)
    ends = [len(written(RECORDS[:number], NONE)) for number in range(len(RECORDS))]
    for cut in range(len(data)):
        if compression == NONE and cut in ends:
            assert read(data[:cut]) == RECORDS[: ends.index(cut)]
        elif cut:
            with pytest.raises(DataError, match=r"^train.tfrecord: record \d, byte \d+: expected"):
                read(data[:cut], compression)


def test_any_flipped_bit_is_found() -> None:
    data = written(RECORDS[:3], NONE)
    for place in range(len(data)):
        damaged = bytearray(data)
        damaged[place] ^= 1 << place % 8
        with pytest.raises(DataError):
            read(bytes(damaged))


def test_damage_is_named_by_record_and_byte() -> None:
    data = bytearray(written([b"aaaa", b"bbbb"], NONE))
    data[20 + 12] ^= 1
    with pytest.raises(
        DataError, match="^train.tfrecord: record 1, byte 20: expected the CRC of the data"
    ):
        read(bytes(data))


def test_plain_records_are_no_gzip_file() -> None:
    with pytest.raises(DataError, match="record 0, byte 0: expected more compressed data"):
        read(written(RECORDS, NONE), GZIP)


def test_a_forged_length_does_not_fill_the_memory() -> None:
    # The length 1 << 40 with the CRC that fits it.
    head = bytes.fromhex("0000000000010000" + "aa3d6be4")
    with pytest.raises(DataError, match="found a length of 1099511627776"):
        read(head)


def test_the_file_stays_open() -> None:
    for compression in (NONE, GZIP):
        file = io.BytesIO(written(RECORDS, compression))
        next(read_records(file, compression, "x"))
        assert not file.closed
