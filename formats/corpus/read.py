"""Reading a piece of work, whatever the format."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from formats.containers import OpenFile
from formats.corpus import csv, directory, fasttext, jsonl, parquet, ranges, text, tsv
from formats.corpus.ranges import CorpusBlock, CorpusRange
from formats.corpus.rows import Candidates, sift

_READERS: dict[str, Callable[[CorpusRange, OpenFile, int], Iterator[Candidates]]] = {
    ranges.TEXT: text.read,
    ranges.FASTTEXT: fasttext.read,
    ranges.CSV: csv.read,
    ranges.TSV: tsv.read,
    ranges.JSONL: jsonl.read,
    ranges.PARQUET: parquet.read,
    ranges.DIRECTORY: directory.read,
}


def read_range(
    work: CorpusRange, open_file: OpenFile, block_bytes: int = 4 << 20
) -> Iterator[CorpusBlock]:
    """Reads the rows of a range in blocks, parted into good rows and rejects.

    Which rows come, and where each is said to be, does not depend on how the files were cut
    into ranges, nor on the size of the blocks.

    Args:
        work: a range of a plan.
        open_file: opens the raw bytes of a URI.
        block_bytes: about how many bytes of a file make up a block; a row is never cut.

    Raises:
        DataError: the file is damaged, or is not what its plan says.
    """
    for found in _READERS[work.format](work, open_file, block_bytes):
        yield sift(work, found)
