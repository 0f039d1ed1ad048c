"""A folder for each class with a text file for each row, as Keras reads them.

``keras.utils.text_dataset_from_directory`` reads the ``*.txt`` files below each class folder;
the whole file is the text.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa

from formats.containers import OpenFile
from formats.corpus.lines import BOM, MAX_ROW_BYTES, row_too_long
from formats.corpus.ranges import CorpusRange
from formats.corpus.rows import Candidates


def read(work: CorpusRange, open_file: OpenFile, block_bytes: int) -> Iterator[Candidates]:
    """Reads the files of a range; the offset of each row is 0."""
    texts: list[bytes] = []
    first = size = 0
    for ordinal, uri in enumerate(work.uris):
        if size >= block_bytes:
            yield _candidates(work, texts, first, size)
            texts, first, size = [], ordinal, 0
        with open_file(uri) as stream:
            text = stream.read(MAX_ROW_BYTES + 1)
        if len(text) > MAX_ROW_BYTES:
            raise row_too_long(uri, 0)
        texts.append(text)
        size += len(text)
    if texts:
        yield _candidates(work, texts, first, size)


def _candidates(work: CorpusRange, texts: list[bytes], first: int, size: int) -> Candidates:
    places = np.arange(first, first + len(texts), dtype=np.int32)
    labels = work.labels[first : first + len(texts)]
    return Candidates(
        texts=pa.array([text.removeprefix(BOM) for text in texts], pa.binary()),
        labels=pa.array(labels, pa.string()) if work.label_column else None,
        files=work.first_file + places,
        offsets=np.zeros(len(texts), np.int64),
        reasons=np.zeros(len(texts), np.int8),
        raw=lambda row: texts[row],
        bytes_read=size,
    )
