"""Corpora in memory or on disk, and their rows as they are read."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from formats.blocks import REJECTS, TEXT, UNASSIGNED_SPLIT
from formats.corpus.plan import CorpusFile, CorpusPlan, plan_corpus
from formats.corpus.ranges import CorpusRange
from formats.corpus.read import read_range

Row = dict[str, Any]


class Corpus:
    """Files by name, which stand in for a storage."""

    def __init__(self, **files: bytes) -> None:
        self._files = files

    def open(self, uri: str) -> BinaryIO:
        return io.BytesIO(self._files[uri])

    def plan(self, format: str, **flags: Any) -> CorpusPlan:
        files = [CorpusFile(uri, len(data)) for uri, data in sorted(self._files.items())]
        return plan_files(flags.pop("pattern", "corpus"), files, self.open, format, **flags)

    def read(self, format: str, block_bytes: int = 4 << 20, **flags: Any) -> list[Row]:
        """The good rows; there must be no bad ones."""
        rows, rejects = self.read_all(format, block_bytes, **flags)
        assert rejects == []
        return rows

    def read_all(
        self, format: str, block_bytes: int = 4 << 20, **flags: Any
    ) -> tuple[list[Row], list[Row]]:
        """The good rows and the rejects."""
        return read_ranges(self.plan(format, **flags).ranges, self.open, block_bytes)


def corpus_of(data: bytes) -> Corpus:
    """A corpus of one file, which is called ``a``."""
    return Corpus(a=data)


def plan_files(
    pattern: str,
    files: Sequence[CorpusFile],
    open_file: Callable[[str], BinaryIO],
    format: str = "auto",
    text_column: str | None = None,
    label_column: str | None = None,
    range_bytes: int = 64 << 20,
    first_file: int = 0,
    split: int = UNASSIGNED_SPLIT,
) -> CorpusPlan:
    return plan_corpus(
        pattern,
        files,
        format=format,
        text_column=text_column,
        label_column=label_column,
        split=split,
        first_file=first_file,
        range_bytes=range_bytes,
        open_file=open_file,
    )


def plan_paths(pattern: Path, paths: Sequence[Path], **flags: Any) -> CorpusPlan:
    files = [CorpusFile(str(path), path.stat().st_size) for path in sorted(paths)]
    return plan_files(str(pattern), files, open_path, **flags)


def open_path(uri: str) -> BinaryIO:
    return Path(uri).open("rb")


def read_ranges(
    ranges: Sequence[CorpusRange],
    open_file: Callable[[str], BinaryIO],
    block_bytes: int = 4 << 20,
) -> tuple[list[Row], list[Row]]:
    rows: list[Row] = []
    rejects: list[Row] = []
    for work in ranges:
        for block in read_range(work, open_file, block_bytes):
            block.rows.validate(full=True)
            block.rejects.validate(full=True)
            assert block.rows.schema == TEXT
            assert block.rejects.schema == REJECTS
            assert block.bytes_read > 0
            rows += block.rows.to_pylist()
            rejects += block.rejects.to_pylist()
    return rows, rejects


def pairs(rows: Sequence[Row]) -> list[tuple[str, str | None]]:
    """Label and text of rows."""
    return [(row["label"], row["text"]) for row in rows]
