"""Plain text: one row a line, without labels."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from formats.containers import OpenFile
from formats.corpus.lines import Lines, read_lines, segments
from formats.corpus.ranges import CorpusRange
from formats.corpus.rows import Candidates, files_of


def read(work: CorpusRange, open_file: OpenFile, block_bytes: int) -> Iterator[Candidates]:
    """Reads the lines of a range."""
    for lines in read_lines(work, open_file, block_bytes):
        yield line_candidates(work, lines)


def line_candidates(work: CorpusRange, lines: Lines) -> Candidates:
    """Lines as rows whose text is the whole line."""
    count = len(lines.starts)
    return Candidates(
        texts=segments(lines.data, lines.starts, lines.ends),
        labels=None,
        files=files_of(work, count),
        offsets=lines.offset + lines.starts,
        reasons=np.zeros(count, np.int8),
        raw=lines.raw,
        bytes_read=len(lines.data),
    )
