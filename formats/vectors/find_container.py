"""The file that ``--vectors`` names: how it is packed, and which member of an archive it is."""

from __future__ import annotations

import zipfile
from typing import BinaryIO

from formats.containers import ZIP, Container, OpenFile, packed_as
from formats.errors import DataError, UsageError, damaged
from formats.vectors.spec import parse_spec

_ENCRYPTED = 0x1
# macOS' own archiver adds a folder of resource forks beside what was packed.
_FINDER_FOLDER = "__MACOSX/"


def find_container(spec: str, open_file: OpenFile) -> Container:
    """Finds out from the bytes how the file that ``--vectors`` names is packed.

    Raises:
        UsageError: the archive has several members and none is named, or the one named is not
            in it; the message lists the members. Also for ``#MEMBER`` on what is no archive.
        DataError: an archive without a readable directory, or with a member that is encrypted
            or packed by another method than deflate.
    """
    _, uri, member, _ = parse_spec(spec)
    with open_file(uri) as stream:
        kind = packed_as(stream.read(4))
        if kind == ZIP:
            return Container(uri, ZIP, _choose_member(uri, member, stream))
    if member:
        raise UsageError(
            f"--vectors {spec}: #{member} picks a file of a zip archive, but {uri} is not one"
        )
    return Container(uri, kind, "")


def _choose_member(uri: str, wanted: str, stream: BinaryIO) -> str:
    try:
        with zipfile.ZipFile(stream) as archive:
            entries = [
                entry
                for entry in archive.infolist()
                # Not `is_dir`, which in Python 3.10 fails at an empty name.
                if not entry.filename.endswith("/")
                and not entry.filename.startswith(_FINDER_FOLDER)
            ]
    except (zipfile.BadZipFile, NotImplementedError, ValueError) as error:
        raise damaged(
            uri,
            "end of file",
            expected="a zip archive's central directory",
            found=f"none that can be read ({error})",
            remedy="the download was cut off or damaged: download the archive again",
        ) from error
    names = [entry.filename for entry in entries]
    listing = ", ".join(names) or "nothing"
    if "syn0.txt" in names or "syn0.bin" in names:
        raise DataError(
            f"{uri}: a DL4J model archive ({listing}), which is not a vector file; export it "
            "with WordVectorSerializer.writeWord2VecModel as word2vec text or binary"
        )
    if wanted:
        chosen = [name for name in names if name == wanted] or [
            name for name in names if name.rpartition("/")[2] == wanted
        ]
    else:
        chosen = names if len(names) == 1 else _matching(uri, names)
    if len(chosen) != 1:
        problem = f"#{wanted} is not in it" if wanted else "name one of its files with #MEMBER"
        raise UsageError(f"--vectors {uri}: {problem}; the archive holds: {listing}")
    entry = entries[names.index(chosen[0])]
    if entry.flag_bits & _ENCRYPTED or entry.compress_type not in (
        zipfile.ZIP_STORED,
        zipfile.ZIP_DEFLATED,
    ):
        raise DataError(
            f"{uri}#{entry.filename}: encrypted, or packed by method {entry.compress_type}; only "
            "stored and deflated members can be read: pack the archive again"
        )
    return chosen[0]


def _matching(uri: str, names: list[str]) -> list[str]:
    """The one member that is called as the archive itself, as in glove.840B.300d.zip."""
    stem = uri.rpartition("/")[2].removesuffix(".zip")
    return [name for name in names if name.rpartition("/")[2].rpartition(".")[0] == stem]
