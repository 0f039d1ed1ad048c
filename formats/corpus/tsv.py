"""Tab-separated values without quoting: every tab parts two columns, every line is a row."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from formats.containers import OpenFile
from formats.corpus.lines import Lines, read_lines, segments
from formats.corpus.ranges import CorpusRange
from formats.corpus.rows import WRONG_COLUMN_COUNT, Candidates, Mask, files_of

_TAB = 0x09


def read(work: CorpusRange, open_file: OpenFile, block_bytes: int) -> Iterator[Candidates]:
    """Reads the lines of a range."""
    for lines in read_lines(work, open_file, block_bytes):
        yield _candidates(work, lines)


def _candidates(work: CorpusRange, lines: Lines) -> Candidates:
    tabs = np.flatnonzero(np.frombuffer(lines.data, np.uint8) == _TAB)
    first_tabs = np.searchsorted(tabs, lines.starts)
    tab_counts = np.searchsorted(tabs, lines.ends) - first_tabs
    good = tab_counts == work.columns - 1

    def column(index: int) -> Any:
        return _column(lines, tabs, first_tabs, good, index, work.columns)

    return Candidates(
        texts=column(work.text_index),
        labels=column(work.label_index) if work.label_column else None,
        files=files_of(work, len(good)),
        offsets=lines.offset + lines.starts,
        reasons=np.where(good, 0, WRONG_COLUMN_COUNT).astype(np.int8),
        raw=lines.raw,
        bytes_read=len(lines.data),
    )


def _column(lines: Lines, tabs: Any, first_tabs: Any, good: Mask, index: int, columns: int) -> Any:
    """One column of lines; empty where a line has the wrong number of tabs."""
    starts, ends = lines.starts.copy(), lines.starts.copy()
    if index > 0:
        starts[good] = tabs[first_tabs[good] + index - 1] + 1
    ends[good] = tabs[first_tabs[good] + index] if index < columns - 1 else lines.ends[good]
    return segments(lines.data, starts, ends)
