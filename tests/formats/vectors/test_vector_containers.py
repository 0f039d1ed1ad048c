"""Vector files as they are packed, and packed files that are damaged."""

from __future__ import annotations

import gzip
import io
import random
import struct
import zipfile
from pathlib import Path

import pytest

from formats.containers import (
    GZIP,
    PLAIN,
    ZIP,
    Container,
    open_container,
)
from formats.errors import DataError, EmbprepError, UsageError
from formats.vectors.find_container import find_container

ROWS = b"".join(
    b"word%d %.6f %.6f\n" % (index, index / 7, random.Random(index).random())
    for index in range(300)
)


def open_file(uri: str) -> io.BufferedReader:
    return open(uri, "rb")


def unpack(spec: str | Path) -> bytes:
    container = find_container(str(spec), open_file)
    with open_container(container, open_file) as stream:
        return stream.read()


def pack_zip(path: Path, members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def test_a_plain_file_is_its_own_bytes(tmp_path: Path) -> None:
    path = write(tmp_path / "vectors.txt", ROWS)
    assert find_container(str(path), open_file) == Container(str(path), PLAIN, "")
    assert unpack(path) == ROWS


def test_gzip_is_known_by_its_bytes_and_not_by_its_name(tmp_path: Path) -> None:
    path = write(tmp_path / "vectors.txt", gzip.compress(ROWS))
    assert find_container(str(path), open_file) == Container(str(path), GZIP, "")
    assert unpack(path) == ROWS
    assert unpack(write(tmp_path / "plain.gz", ROWS)) == ROWS


def test_gzip_of_several_members_is_one_file(tmp_path: Path) -> None:
    packed = gzip.compress(ROWS[:5000]) + gzip.compress(b"") + gzip.compress(ROWS[5000:])
    assert unpack(write(tmp_path / "vectors.gz", packed)) == ROWS


def test_gzip_may_be_padded_with_zeros(tmp_path: Path) -> None:
    assert unpack(write(tmp_path / "vectors.gz", gzip.compress(ROWS) + bytes(100))) == ROWS


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED])
def test_the_only_member_of_an_archive_is_taken(tmp_path: Path, method: int) -> None:
    path = pack_zip(tmp_path / "anything.zip", {"vectors.txt": ROWS}, method)
    assert find_container(str(path), open_file) == Container(str(path), ZIP, "vectors.txt")
    assert unpack(path) == ROWS


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED])
@pytest.mark.parametrize("size", [0, 1, 1 << 20, (1 << 20) + 1, 3_333_333])
@pytest.mark.parametrize("piece", [100_000, 1 << 20, -1])
def test_a_member_of_any_size_is_read_in_any_pieces(
    tmp_path: Path, method: int, size: int, piece: int
) -> None:
    # Half of it is noise and half repeats, so output lags behind input and the reverse.
    data = (random.Random(1).randbytes(size // 2) + b"the " * (size // 8 + 1))[:size]
    path = pack_zip(tmp_path / "anything.zip", {"vectors.bin": data}, method)
    with open_container(find_container(str(path), open_file), open_file) as stream:
        pieces = list(iter(lambda: stream.read(piece), b""))
    assert b"".join(pieces) == data


def test_a_zip64_member_of_unknown_size_is_read(tmp_path: Path) -> None:
    path = tmp_path / "stream.zip"
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("vectors.txt", "w", force_zip64=True) as member,
    ):
        member.write(ROWS)
    assert unpack(path) == ROWS


def test_a_zip64_directory_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zipfile, "ZIP64_LIMIT", 100)
    path = pack_zip(tmp_path / "large.zip", {"first.txt": ROWS[::-1], "large.txt": ROWS})
    monkeypatch.undo()
    assert unpack(path) == ROWS


def test_an_archive_in_an_archive_written_behind_other_bytes_is_not_one(tmp_path: Path) -> None:
    packed = pack_zip(tmp_path / "a.zip", {"a.txt": ROWS}).read_bytes()
    path = write(tmp_path / "behind.zip", b"#!/bin/sh\n" + packed)
    assert find_container(str(path), open_file).kind == PLAIN


def test_the_member_called_as_the_archive_is_taken(tmp_path: Path) -> None:
    members = {"README": b"x", "glove.840B.300d.txt": ROWS, "glove.txt": b"y"}
    assert unpack(pack_zip(tmp_path / "glove.840B.300d.zip", members)) == ROWS


def test_a_named_member_is_taken_with_or_without_its_folder(tmp_path: Path) -> None:
    path = pack_zip(tmp_path / "glove.6B.zip", {"d/50d.txt": b"x", "d/100d.txt": ROWS})
    assert unpack(f"{path}#d/100d.txt") == ROWS
    assert unpack(f"{path}#100d.txt") == ROWS
    container = find_container(f"{path}#100d.txt", open_file)
    assert container.name == f"{path}#d/100d.txt"


def test_folders_and_the_finders_files_are_no_members(tmp_path: Path) -> None:
    members = {"d/": b"", "d/vectors.txt": ROWS, "__MACOSX/d/._vectors.txt": b"fork"}
    assert unpack(pack_zip(tmp_path / "mac.zip", members)) == ROWS


@pytest.mark.parametrize(
    ("wanted", "problem"),
    [("", "name one of its files with #MEMBER"), ("#200d.txt", "#200d.txt is not in it")],
)
def test_members_are_listed_when_none_is_picked(tmp_path: Path, wanted: str, problem: str) -> None:
    path = pack_zip(tmp_path / "glove.6B.zip", {"50d.txt": b"x", "100d.txt": ROWS})
    with pytest.raises(UsageError) as caught:
        unpack(f"{path}{wanted}")
    message = str(caught.value)
    assert str(path) in message
    assert problem in message
    assert "the archive holds: 50d.txt, 100d.txt" in message


def test_a_name_that_several_folders_hold_is_not_guessed(tmp_path: Path) -> None:
    path = pack_zip(tmp_path / "two.zip", {"a/v.txt": b"x", "b/v.txt": ROWS})
    with pytest.raises(UsageError, match=r"#v\.txt.*a/v\.txt, b/v\.txt"):
        unpack(f"{path}#v.txt")


def test_an_archive_without_files_says_so(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="the archive holds: nothing"):
        unpack(pack_zip(tmp_path / "empty.zip", {}))


def test_a_member_of_what_is_no_archive_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "vectors.zip", ROWS)
    with pytest.raises(UsageError, match=r"#a\.txt picks a file of a zip archive, but .* not one"):
        unpack(f"{path}#a.txt")


def test_a_hash_mark_elsewhere_belongs_to_the_path(tmp_path: Path) -> None:
    assert unpack(write(tmp_path / "a#b.txt", ROWS)) == ROWS


def test_a_member_that_points_out_of_the_archive_is_only_read(tmp_path: Path) -> None:
    inside = tmp_path / "deep"
    inside.mkdir()
    path = pack_zip(inside / "evil.zip", {"../../evil.txt": ROWS})
    assert unpack(path) == ROWS
    assert sorted(file.name for file in tmp_path.rglob("*")) == ["deep", "evil.zip"]


def test_an_encrypted_member_is_refused(tmp_path: Path) -> None:
    path = pack_zip(tmp_path / "secret.zip", {"v.txt": ROWS})
    data = bytearray(path.read_bytes())
    data[6] |= 1
    data[data.rindex(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)
    with pytest.raises(DataError, match=r"secret\.zip#v\.txt: encrypted"):
        unpack(path)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_methods_are_refused(tmp_path: Path, method: int) -> None:
    path = pack_zip(tmp_path / "v.zip", {"v.txt": ROWS}, method)
    with pytest.raises(DataError, match=f"packed by method {method}; only stored and deflated"):
        unpack(path)


def test_a_dl4j_archive_is_named(tmp_path: Path) -> None:
    path = pack_zip(tmp_path / "vectors.bin", {"syn0.txt": ROWS, "config.json": b"{}"})
    with pytest.raises(
        DataError, match=r"vectors\.bin: a DL4J model archive .*\.writeWord2VecModel as"
    ):
        unpack(path)


def test_gzip_cut_anywhere_is_damage(tmp_path: Path) -> None:
    packed = gzip.compress(ROWS, mtime=0)
    path = tmp_path / "vectors.gz"
    for size in [*range(2, 30), *range(30, len(packed), 37), *range(len(packed) - 12, len(packed))]:
        write(path, packed[:size])
        with pytest.raises(DataError, match="decompressed byte") as caught:
            unpack(path)
        assert str(caught.value).startswith(f"{path}: decompressed byte ")
        assert "download or copy the file again" in str(caught.value)


@pytest.mark.parametrize("junk", [b"junk behind the end", b"\x1f\x8b", b"\0\0\0junk"])
def test_junk_behind_gzip_is_damage(tmp_path: Path, junk: bytes) -> None:
    path = write(tmp_path / "vectors.gz", gzip.compress(ROWS) + junk)
    with pytest.raises(DataError, match=r"vectors\.gz: decompressed byte .*: expected"):
        unpack(path)


def flipped(data: bytes, chance: random.Random) -> bytes:
    place = chance.randrange(len(data))
    return data[:place] + bytes([data[place] ^ 1 << chance.randrange(8)]) + data[place + 1 :]


def outcome(path: Path) -> bytes | str:
    """The unpacked bytes, or the message of what is wrong with the file."""
    try:
        return unpack(path)
    except EmbprepError as error:
        return str(error)


def test_a_flipped_bit_of_gzip_is_damage_or_harmless(tmp_path: Path) -> None:
    packed = gzip.compress(ROWS, mtime=0)
    path = tmp_path / "vectors.gz"
    chance = random.Random(1)
    messages = []
    for _ in range(1000):
        write(path, packed[:2] + flipped(packed[2:], chance))
        found = outcome(path)
        if isinstance(found, str):
            messages.append(found)
        else:
            assert found == ROWS
    assert len(messages) > 950
    assert all(message.startswith(f"{path}: decompressed byte ") for message in messages)


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED])
def test_a_flipped_bit_of_an_archive_is_damage_or_harmless(tmp_path: Path, method: int) -> None:
    path = pack_zip(tmp_path / "v.zip", {"a.txt": ROWS[:100]}, method)
    packed = path.read_bytes()
    messages = []
    for place in range(4, len(packed)):
        for bit in range(8):
            changed = bytes([packed[place] ^ 1 << bit])
            write(path, packed[:place] + changed + packed[place + 1 :])
            found = outcome(path)
            if isinstance(found, str):
                messages.append(found)
            else:
                assert found == ROWS[:100]
    assert len(messages) > 800
    assert all(str(path) in message for message in messages)


@pytest.mark.parametrize("method", [zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED])
def test_an_archive_cut_anywhere_is_damage(tmp_path: Path, method: int) -> None:
    path = pack_zip(tmp_path / "v.zip", {"a.txt": ROWS[:200]}, method)
    packed = path.read_bytes()
    for size in range(4, len(packed)):
        write(path, packed[:size])
        with pytest.raises(DataError, match="central directory") as caught:
            unpack(path)
        assert str(caught.value).startswith(f"{path}: end of file: ")


def test_a_local_header_that_is_elsewhere_is_damage(tmp_path: Path) -> None:
    path = pack_zip(tmp_path / "v.zip", {"a.txt": ROWS})
    data = bytearray(path.read_bytes())
    struct.pack_into("<L", data, data.rindex(b"PK\x01\x02") + 42, 9)
    path.write_bytes(data)
    with pytest.raises(DataError, match=r"v\.zip#a\.txt: byte 9: expected a zip local file header"):
        unpack(path)


def test_a_real_download_that_was_cut_off_is_damage(shared_data: Path) -> None:
    path = shared_data / "vectors" / "glove.6B.truncated-download.zip"
    with pytest.raises(
        DataError, match="the download was cut off or damaged: download the archive again"
    ):
        unpack(f"{path}#glove.6B.100d.txt")


def test_a_real_archive_is_read(shared_data: Path) -> None:
    path = shared_data / "vectors" / "glove.840B.300d.sample.zip"
    assert find_container(str(path), open_file).member == "glove.840B.300d.txt"
    with zipfile.ZipFile(path) as archive:
        assert unpack(path) == archive.read("glove.840B.300d.txt")
