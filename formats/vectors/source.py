"""A vector file of the job, and the byte ranges that it is read in."""

from __future__ import annotations

import os
from collections.abc import Container as Wanted
from collections.abc import Generator, Iterator, Sequence
from typing import BinaryIO, NamedTuple

from formats.containers import PLAIN, Container, OpenFile, open_container
from formats.errors import DataError, UsageError
from formats.vectors.array_rows import RowRange
from formats.vectors.columnar import (
    ColumnarLayout,
    Exists,
    cut_columnar,
    find_columnar_layout,
    read_columnar,
)
from formats.vectors.fasttext_bin import (
    Dictionary,
    FastTextModel,
    cut_rows,
    is_fasttext_model,
    read_dictionary,
    read_words,
)
from formats.vectors.find_container import find_container
from formats.vectors.layout import BINARY, FASTTEXT, HEAD_BYTES, TEXT, Layout, find_layout
from formats.vectors.records import RangeReport, Records, RowBlock
from formats.vectors.spec import parse_spec
from formats.vectors.text_rows import RowError, read_rows, row_number
from formats.vectors.word2vec_binary import LostPlaceError, Places, read_records


class VectorSource(NamedTuple):
    """A vector file: where it is, how it is packed, how its rows lie in it.

    Attributes:
        ordinal: its place among the vector files of the job; an earlier one wins.
        spec: the ``--vectors`` by which the user named it.
        container: where its bytes are.
        layout: how its rows lie in them.
        size: bytes of the file as it is stored.
        model: what a fastText model is; None for other files.
    """

    ordinal: int
    spec: str
    container: Container
    layout: Layout | ColumnarLayout
    size: int
    model: FastTextModel | None = None

    @property
    def name(self) -> str:
        """What messages call it."""
        return self.container.name

    @property
    def is_scanned_whole(self) -> bool:
        """Whether one worker goes through all of its rows, because it must be decompressed."""
        return self.model is None and self.container.kind != PLAIN

    @property
    def can_lose_its_place(self) -> bool:
        """Whether a range's first row is guessed at, so that the ranges may not add up."""
        return self.layout.kind == BINARY and self.container.kind == PLAIN

    def place(self, position: int) -> str:
        """What messages call the place of a row, by the position under which it was found."""
        return f"byte {position}" if isinstance(self.layout, Layout) else f"row {position + 1}"


class VectorRange(NamedTuple):
    """One piece of work: the rows of one range of one source.

    Attributes:
        source: ordinal of the source.
        start: first byte of the range; for a fastText model, first row of the input matrix; for
            others (``formats.vectors.columnar``) first row, row group or record batch.
        stop: first byte, or what else is counted, behind it; -1 for all the rest of the file.
        attempt: 0 for the reading in parallel, 1 for that in order after a failed proof.
        mark: byte of the vocabulary text where the tokens of a range of an array start.
    """

    source: int
    start: int
    stop: int
    attempt: int
    mark: int = 0


def open_source(
    ordinal: int,
    spec: str,
    size: int,
    open_file: OpenFile,
    *,
    exists: Exists = os.path.exists,
    allow_pickle: bool = False,
) -> VectorSource:
    """Finds out what a vector file is, from its first bytes.

    Of a model the dictionary is read too, of an array its vocabulary text, and of an Arrow file
    the tokens.

    Args:
        ordinal: its place among the vector files of the job.
        spec: the ``--vectors`` by which the user named it.
        size: its bytes as it is stored.
        open_file: opens files by their URIs.
        exists: whether there is a file at a URI.
        allow_pickle: whether a pickle may be loaded, which runs code of whoever made it.

    Raises:
        UsageError: the spec does not name one file, or has an option that is not for it.
        DataError: the file is no vector file that can be read.
    """
    parsed = parse_spec(spec)
    container = find_container(spec, open_file)
    with open_container(container, open_file) as stream:
        head = stream.read(HEAD_BYTES)
    columnar = find_columnar_layout(head, parsed, container, size, open_file, exists, allow_pickle)
    if columnar is not None:
        return VectorSource(ordinal, spec, container, columnar, size)
    if not is_fasttext_model(head):
        layout = find_layout(head, container.name)
        parsed.demand_options(layout.format)
        return VectorSource(ordinal, spec, container, layout, size)
    parsed.demand_options("a fastText model")
    with open_container(container, open_file) as stream:
        model = read_dictionary(stream, (), name=container.name).model
    layout = Layout(FASTTEXT, f"fastText {model.head.kind}", 0, model.head.words, model.head.dim)
    return VectorSource(ordinal, spec, container, layout, size, model)


def demand_equal_dimensions(sources: Sequence[VectorSource]) -> int:
    """The dimensions that all sources have.

    Raises:
        UsageError: they differ, so one can't fill in for another.
    """
    dims = {source.layout.dim for source in sources}
    if len(dims) > 1:
        listing = ", ".join(f"{source.name} has {source.layout.dim}" for source in sources)
        raise UsageError(
            f"--vectors: --combine first needs files of equal dimensions, but {listing}; leave "
            "one out, or put them side by side with --combine concat"
        )
    return dims.pop()


def cut_ranges(source: VectorSource, range_bytes: int) -> list[VectorRange]:
    """Cuts a source into ranges that can be read in parallel; a packed file is one range."""
    packed = source.container.kind != PLAIN
    if not isinstance(source.layout, Layout):
        return [
            VectorRange(source.ordinal, start, stop, 0, mark)
            for start, stop, mark in cut_columnar(source.layout, range_bytes, packed)
        ]
    if source.model is not None:
        rows = [(0, source.model.rows)] if packed else cut_rows(source.model, range_bytes)
        return [VectorRange(source.ordinal, first, last, 0) for first, last in rows]
    if packed:
        return [VectorRange(source.ordinal, 0, -1, 0)]
    return [
        VectorRange(source.ordinal, start, min(start + range_bytes, source.size), 0)
        for start in range(0, source.size, range_bytes)
    ]


def whole_range(source: VectorSource) -> VectorRange:
    """The whole file as one range, read in order, for when the proof of the others failed."""
    return VectorRange(source.ordinal, 0, -1, 1)


def read_range(
    source: VectorSource, work: VectorRange, open_file: OpenFile
) -> Iterator[RowBlock | RangeReport]:
    """Reads the rows of one range, in blocks; the last thing it yields is the report.

    Raises:
        DataError: the file is damaged. A range of a word2vec binary that is read from the
            middle reports its problem instead, since it may have lost its place.
    """
    in_order = work.start == 0 and work.stop == -1
    report = RangeReport(work.source, work.attempt, work.start, 0, 0, 0)
    try:
        report = yield from _read_and_count(source, work, open_file, report)
    except RowError as error:
        raise _with_row_number(error, source, open_file) from error
    except (DataError, LostPlaceError) as error:
        if in_order or source.layout.kind != BINARY:
            raise
        report = report._replace(problem=str(error))
    yield report


def bytes_of(source: VectorSource, block: RowBlock) -> int:
    """About how many bytes of a file the rows of a block take."""
    if isinstance(block, Records):
        return block.size
    return block.rows * source.size // max(source.layout.rows, block.rows, 1)


def read_tokens(source: VectorSource, open_file: OpenFile) -> Iterator[list[bytes]]:
    """Reads the tokens of a source in file order, block by block.

    Raises:
        DataError: the file is damaged in what was read.
    """
    if source.model is not None:
        with open_container(source.container, open_file) as stream:
            yield from read_words(stream, name=source.name)
        return
    for records in read_range(source, whole_range(source), open_file):
        if not isinstance(records, RangeReport):
            yield records.tokens


def read_model(
    source: VectorSource, wanted: Wanted[bytes], open_file: OpenFile, unicode_errors: str
) -> Dictionary:
    """Reads the dictionary of a fastText model, and keeps the rows of the wanted words.

    Raises:
        DataError: the file is damaged, or holds a word that is not UTF-8 if that is an error.
    """
    with open_container(source.container, open_file) as stream:
        return read_dictionary(stream, wanted, name=source.name, unicode_errors=unicode_errors)


def _read_and_count(
    source: VectorSource, work: VectorRange, open_file: OpenFile, report: RangeReport
) -> Generator[RowBlock, None, RangeReport]:
    rows = 0
    last: RowBlock | None = None
    with open_container(source.container, open_file) as stream:
        blocks = _blocks(source, work, stream, open_file)
        while True:
            try:
                last = next(blocks)
            except StopIteration as end:
                places = end.value or Places(0, 0)
                break
            rows += last.rows
            yield last
    report = report._replace(rows=rows, first=places.first, next=places.next)
    if last is None:
        return report
    if source.layout.kind == TEXT and isinstance(last, Records):
        report = report._replace(ends_with_newline=last.ends_with_newline)
    return report._replace(last_token=last.tokens_of([last.rows - 1])[0])


def _blocks(
    source: VectorSource, work: VectorRange, stream: BinaryIO, open_file: OpenFile
) -> Iterator[RowBlock]:
    if not isinstance(source.layout, Layout):
        rows = RowRange(work.start, work.stop, work.mark)
        return read_columnar(stream, source.layout, rows, source.container, open_file)
    stop = None if work.stop == -1 else work.stop
    if source.layout.kind == TEXT:
        return read_rows(
            stream,
            source.layout.dim,
            work.start,
            stop,
            name=source.name,
            header_bytes=source.layout.header_bytes,
        )
    size = source.size if source.container.kind == PLAIN else None
    return read_records(stream, source.layout, work.start, stop, name=source.name, size=size)


def _with_row_number(error: RowError, source: VectorSource, open_file: OpenFile) -> DataError:
    assert isinstance(source.layout, Layout)
    with open_container(source.container, open_file) as stream:
        row = row_number(stream, error.offset, source.layout.header_bytes)
    return DataError(
        str(error).replace(f"byte {error.offset}:", f"row {row}, byte {error.offset}:")
    )
