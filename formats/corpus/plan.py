"""What a corpus is, found out from its files before anything is read in parallel."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from formats.containers import OpenFile
from formats.corpus.columns import resolve_columns
from formats.corpus.inspect import FileFacts, inspect_file
from formats.corpus.ranges import (
    AUTO,
    CSV,
    DIRECTORY,
    FORMATS,
    NO_COLUMN,
    PARQUET,
    TEXT,
    WHOLE_FILE,
    CorpusRange,
)
from formats.errors import UsageError

_DEFAULT_TEXT_COLUMN, _DEFAULT_LABEL_COLUMN = "text", "label"
_MAX_FILES_PER_RANGE = 2000
# Heads of files in an object store are waited for, not worked on.
_THREADS = 16


class CorpusFile(NamedTuple):
    """A file that a pattern matched, with its size in bytes as it is stored."""

    uri: str
    size: int


class CorpusPlan(NamedTuple):
    """How one ``--corpus`` is going to be read.

    Attributes:
        ranges: all ranges, in the order of the files and of the rows in them.
        format: one of ``formats.corpus.ranges.FORMATS``.
        labelled: whether its rows have labels.
        files: number of files that are read.
        warnings: what the user should know, such as files that are left out.
    """

    ranges: list[CorpusRange]
    format: str
    labelled: bool
    files: int
    warnings: list[str]


def plan_corpus(
    pattern: str,
    files: Sequence[CorpusFile],
    *,
    format: str,
    text_column: str | None,
    label_column: str | None,
    split: int,
    first_file: int,
    range_bytes: int,
    open_file: OpenFile,
) -> CorpusPlan:
    """Finds out the format and the columns of a corpus, and cuts it into ranges.

    Args:
        pattern: what the user wrote: a file, a glob, or a directory.
        files: the files that it matched, sorted by URI; all below it for a directory.
        format: one of ``formats.corpus.ranges.FORMATS``, or ``auto``.
        text_column: name or 0-based index; None for ``text``.
        label_column: the same; None for ``label``, empty for a corpus without labels.
        split: index into ``formats.blocks.SPLITS``, or ``UNASSIGNED_SPLIT``.
        first_file: ordinal of the first file among all corpus files of the job.
        range_bytes: about how many bytes of stored files make up a range.
        open_file: opens the raw bytes of a URI.

    Raises:
        UsageError: a column that is not there, files that differ in format or columns.
        DataError: a file that can't be read as a corpus.
    """
    if format not in (AUTO, *FORMATS):
        raise UsageError(f"--corpus_format {format}: expected auto, {', '.join(FORMATS)}")
    wanted = CorpusRange(
        format=format,
        text_column=_DEFAULT_TEXT_COLUMN if text_column is None else text_column,
        label_column=_DEFAULT_LABEL_COLUMN if label_column is None else label_column,
        text_index=0,
        label_index=NO_COLUMN,
        columns=0,
        header=False,
        uris=(),
        labels=(),
        first_file=first_file,
        start=0,
        stop=WHOLE_FILE,
        split=split,
    )
    if format == DIRECTORY or (format == AUTO and _is_directory(pattern, files)):
        return _plan_directory(pattern, wanted, files, range_bytes)
    return _plan_files(pattern, wanted, files, range_bytes, open_file)


def _plan_files(
    pattern: str,
    wanted: CorpusRange,
    files: Sequence[CorpusFile],
    range_bytes: int,
    open_file: OpenFile,
) -> CorpusPlan:
    with ThreadPoolExecutor(_THREADS) as pool:
        inspected = list(
            pool.map(lambda file: inspect_file(file.uri, wanted.format, open_file), files)
        )
    # An empty file has no rows, and nothing that could contradict the others.
    filled = [facts for facts in inspected if not facts.empty]
    resolved = [resolve_columns(wanted, facts) for facts in filled]
    _demand_same(pattern, filled, resolved)
    ranges = [
        piece._replace(uris=[file.uri], first_file=wanted.first_file + number)
        for number, (file, facts) in enumerate(zip(files, inspected, strict=True))
        if not facts.empty
        for piece in _cut(resolved[0], file.size, facts, range_bytes)
    ]
    found = resolved[0] if resolved else wanted._replace(format=inspected[0].format)
    labelled = found.label_column != "" and found.format != TEXT
    return CorpusPlan(ranges, found.format, labelled, len(files), [])


def _demand_same(
    pattern: str, inspected: Sequence[FileFacts], resolved: Sequence[CorpusRange]
) -> None:
    for facts, found in zip(inspected, resolved, strict=True):
        first = inspected[0]
        if facts.format != first.format:
            raise UsageError(
                f"--corpus {pattern}: {first.uri} is {first.format}, but {facts.uri} is "
                f"{facts.format}; give each format a --corpus of its own, or --corpus_format"
            )
        if found != resolved[0]:
            raise UsageError(
                f"--corpus {pattern}: the columns of {facts.uri} ({_columns(facts, found)}) are "
                f"not those of {first.uri} ({_columns(first, resolved[0])}); give each kind of "
                "file a --corpus of its own"
            )


def _columns(facts: FileFacts, found: CorpusRange) -> str:
    return ", ".join(facts.columns) if found.header else f"{found.columns}, without a header"


def _cut(
    found: CorpusRange, size: int, facts: FileFacts, range_bytes: int
) -> Iterator[CorpusRange]:
    if facts.format == PARQUET:
        groups = range(len(facts.row_group_bytes))
        for piece in _pieces(groups, facts.row_group_bytes, range_bytes, len(groups)):
            yield found._replace(start=piece[0], stop=piece[-1] + 1)
    elif facts.packed or facts.format == CSV:
        yield found
    else:
        for start in range(0, size, range_bytes):
            yield found._replace(start=start, stop=min(start + range_bytes, size))


def _plan_directory(
    pattern: str, wanted: CorpusRange, files: Sequence[CorpusFile], range_bytes: int
) -> CorpusPlan:
    labels = [(_class_of(pattern, file), file) for file in files]
    rows = [(label, file) for label, file in labels if label is not None]
    if not rows:
        raise UsageError(
            f"--corpus {pattern}: no file is called CLASS/NAME.txt below it, as the format "
            "directory wants; give the folder that holds the class folders"
        )
    places = range(len(rows))
    sizes = [file.size for _, file in rows]
    ranges = [
        wanted._replace(
            format=DIRECTORY,
            uris=[rows[place][1].uri for place in piece],
            labels=[rows[place][0] for place in piece],
            first_file=wanted.first_file + piece[0],
        )
        for piece in _pieces(places, sizes, range_bytes, _MAX_FILES_PER_RANGE)
    ]
    left_out = [file.uri for label, file in labels if label is None]
    warnings = (
        [f"--corpus {pattern}: {len(left_out)} files are not CLASS/NAME.txt and were left out, "
         f"such as {left_out[0]}"]
        if left_out
        else []
    )  # fmt: skip
    return CorpusPlan(ranges, DIRECTORY, wanted.label_column != "", len(rows), warnings)


def _is_directory(pattern: str, files: Sequence[CorpusFile]) -> bool:
    """Whether most files are texts in class folders; a few lists and notes may lie beside."""
    in_classes = sum(_class_of(pattern, file) is not None for file in files)
    return 2 * in_classes > len(files)


def _class_of(pattern: str, file: CorpusFile) -> str | None:
    """The class folder that a file is in, at any depth; None if it is no row."""
    root = pattern.rstrip("/") + "/"
    label, below, name = file.uri.removeprefix(root).partition("/")
    is_row = file.uri.startswith(root) and below and name.endswith(".txt")
    return label if is_row and not label.startswith(".") else None


def _pieces(
    places: range, sizes: Sequence[int], piece_bytes: int, most: int
) -> Iterator[list[int]]:
    """Groups neighbours until they reach a size or a number."""
    piece: list[int] = []
    size = 0
    for place in places:
        piece.append(place)
        size += sizes[place]
        if size >= piece_bytes or len(piece) >= most:
            yield piece
            piece, size = [], 0
    if piece:
        yield piece
