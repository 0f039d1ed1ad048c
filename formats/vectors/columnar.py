"""Vector files that keep tokens apart from vectors: arrays, tables, and gensim's own.

Whichever they are, their ranges are rows, row groups or record batches, and their rows come as
``ArrayRows``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import BinaryIO

from formats.containers import PLAIN, Container, OpenFile, open_container
from formats.errors import DataError, UsageError
from formats.safetensors import is_safetensors
from formats.vectors import arrow, npy, parquet, safetensors_file
from formats.vectors.array_rows import (
    ArrayLayout,
    RowRange,
    cut_rows,
    join_tokens,
    read_array_rows,
)
from formats.vectors.keyed_vectors import (
    KeyedLayout,
    find_keyed_vectors,
    is_pickle,
    read_keyed_vectors,
)
from formats.vectors.records import ArrayRows
from formats.vectors.spec import TENSOR, TOKEN_COLUMN, TOKENS, VECTOR_COLUMN, VectorSpec
from formats.vectors.table_rows import TableLayout, cut_pieces

ColumnarLayout = ArrayLayout | TableLayout | KeyedLayout
Exists = Callable[[str], bool]


def find_columnar_layout(
    head: bytes,
    spec: VectorSpec,
    container: Container,
    size: int,
    open_file: OpenFile,
    exists: Exists,
    allow_pickle: bool,
) -> ColumnarLayout | None:
    """Finds out from its first bytes whether a file is one of these, and how its rows lie.

    Args:
        head: the first bytes of the file, decompressed.
        spec: how the user named it.
        container: where it is.
        size: its bytes as it is stored.
        open_file: opens it, and the vocabulary text of an array.
        exists: whether there is a file at a URI.
        allow_pickle: whether a pickle may be loaded, which runs code of whoever made it.

    Returns:
        The layout; None if it is another file.

    Raises:
        UsageError: an option that is missing, or is for another kind of file.
        DataError: the file is one of these, but can't be read.
    """
    name = container.name
    stored = size if container.kind == PLAIN else None
    if head.startswith(npy.MAGIC):
        spec.demand_options("a NumPy .npy array", TOKENS)
        array = npy.find_array(head, stored, name)
        return join_tokens(array, _tokens_uri(spec, exists), open_file, name)
    if is_safetensors(head):
        spec.demand_options("a safetensors file", TOKENS, TENSOR)
        with open_container(container, open_file) as stream:
            array = safetensors_file.find_array(
                stream, stored, spec.options.get(TENSOR), name=name, spec=spec.text
            )
        return join_tokens(array, _tokens_uri(spec, exists), open_file, name)
    for reader, fits, what in (
        (parquet.find_table, head.startswith(parquet.MAGIC), "a Parquet file"),
        (arrow.find_table, head.startswith(arrow.MAGIC), "an Arrow IPC file"),
        (arrow.find_table, arrow.is_stream(head), "an Arrow IPC stream"),
    ):
        if fits:
            spec.demand_options(what, TOKEN_COLUMN, VECTOR_COLUMN)
            _demand_plain(container, what)
            columns = spec.options.get(TOKEN_COLUMN), spec.options.get(VECTOR_COLUMN)
            with open_file(container.uri) as stream:
                return reader(stream, *columns, name=name, spec=spec.text)
    if allow_pickle and is_pickle(head):
        spec.demand_options("a pickle")
        _demand_plain(container, "a Python pickle")
        return find_keyed_vectors(container.uri, spec.text)
    return None


def cut_columnar(layout: ColumnarLayout, range_bytes: int, packed: bool) -> list[RowRange]:
    """Cuts a file into ranges that can be read in parallel, of about so many bytes.

    A stop of -1 is all the rest of the file.
    """
    if isinstance(layout, ArrayLayout) and not packed:
        return cut_rows(layout, range_bytes)
    if isinstance(layout, TableLayout):
        return [RowRange(start, stop, 0) for start, stop in cut_pieces(layout, range_bytes)]
    return [RowRange(0, -1, 0)]


def read_columnar(
    stream: BinaryIO,
    layout: ColumnarLayout,
    work: RowRange,
    container: Container,
    open_file: OpenFile,
) -> Iterator[ArrayRows]:
    """Reads the rows of one range in blocks, in order.

    Args:
        stream: the file, decompressed, at its first byte.
        layout: how its rows lie.
        work: the range, as ``cut_columnar`` made it, or (0, -1, 0) for the whole.
        container: where the file is.
        open_file: opens the vocabulary text of an array.

    Raises:
        DataError: the file is damaged.
    """
    name = container.name
    if isinstance(layout, KeyedLayout):
        return read_keyed_vectors(container.uri, layout)
    if isinstance(layout, ArrayLayout):
        if work.stop == -1:
            work = work._replace(stop=layout.rows)
        return read_array_rows(stream, layout, work, open_file, name=name)
    stop = len(layout.pieces) if work.stop == -1 else work.stop
    if layout.format == parquet.FORMAT:
        return parquet.read_table(stream, layout, work.start, stop, name=name)
    return arrow.read_table(stream, layout, work.start, stop, name=name)


def _tokens_uri(spec: VectorSpec, exists: Exists) -> str:
    """The vocabulary text that is named, or else the one that is called as the array."""
    if given := spec.options.get(TOKENS):
        if not exists(given):
            raise UsageError(f"--vectors {spec.text}: {TOKENS}={given}: no such file")
        return given
    folder, slash, file = spec.path.removesuffix(".gz").rpartition("/")
    sibling = f"{folder}{slash}{file.rpartition('.')[0] or file}.txt"
    if sibling == spec.path or not exists(sibling):
        raise UsageError(
            f"--vectors {spec.text}: an array holds no words, and there is no {sibling}; give its "
            f"vocabulary, one token a line, as {spec.place}?{TOKENS}=PATH"
        )
    return sibling


def _demand_plain(container: Container, what: str) -> None:
    if container.kind != PLAIN:
        raise DataError(
            f"{container.name}: {what} can't be read from inside of a {container.kind} file; "
            "unpack it first"
        )
