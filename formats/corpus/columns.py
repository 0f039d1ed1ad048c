"""Which columns of a file hold the text and the label."""

from __future__ import annotations

from formats.corpus import parquet
from formats.corpus.inspect import FileFacts
from formats.corpus.ranges import CSV, JSONL, NO_COLUMN, PARQUET, TEXT, TSV, CorpusRange
from formats.errors import UsageError

_TEXT_FLAG, _LABEL_FLAG = "--text_column", "--label_column"
_NO_LABELS = f"{_LABEL_FLAG}= (empty) reads a corpus without labels"
_SHOWN_COLUMNS, _SHOWN_CHARACTERS = 20, 40


def resolve_columns(wanted: CorpusRange, facts: FileFacts) -> CorpusRange:
    """Finds the columns of a file, by the names or indices that the user gave.

    A csv or tsv file has a header if one of the names stands in its first row. If the names
    are numbers and none of them stands there, it has no header and they are 0-based indices.

    Args:
        wanted: has the names or indices; an empty label for a corpus without labels.
        facts: what was found out about the file.

    Returns:
        The same with the format and the columns of the file.

    Raises:
        UsageError: a column that is not there, that stands there twice, or of the wrong type.
    """
    found = wanted._replace(format=facts.format)
    if facts.format == TEXT:
        return found._replace(label_column="")
    if facts.format in (CSV, TSV):
        return _resolve_in_first_row(found, facts)
    if facts.format in (JSONL, PARQUET):
        for flag, name in _flags(found):
            _place(facts, flag, name)
    if facts.format == PARQUET:
        _demand_types(found, facts)
    return found


def _resolve_in_first_row(wanted: CorpusRange, facts: FileFacts) -> CorpusRange:
    flags = _flags(wanted)
    header = any(name in facts.columns for _, name in flags)
    by_index = not header and all(name.isascii() and name.isdigit() for _, name in flags)
    find = _index if by_index else _place
    places = [find(facts, flag, name) for flag, name in flags]
    return wanted._replace(
        text_index=places[0],
        label_index=places[1] if len(places) > 1 else NO_COLUMN,
        columns=len(facts.columns),
        header=header,
    )


def _flags(wanted: CorpusRange) -> list[tuple[str, str]]:
    flags = [(_TEXT_FLAG, wanted.text_column), (_LABEL_FLAG, wanted.label_column)]
    return [(flag, name) for flag, name in flags if name or flag == _TEXT_FLAG]


def _place(facts: FileFacts, flag: str, name: str) -> int:
    number = facts.columns.count(name)
    if number == 1:
        return facts.columns.index(name)
    problem = f"{number} columns are called" if number else "no column is called"
    advice = f"name one with {flag}"
    if facts.format in (CSV, TSV):
        advice += ", by 0-based index if the first row is no header"
    raise UsageError(
        f"{facts.uri}: {problem} {name!r}; its columns: {_listing(facts)}; {advice}"
        + (f"; {_NO_LABELS}" if flag == _LABEL_FLAG else "")
    )


def _index(facts: FileFacts, flag: str, name: str) -> int:
    if int(name) < len(facts.columns):
        return int(name)
    raise UsageError(
        f"{facts.uri}: there is no column {name}; its columns, counted from 0: {_listing(facts)}; "
        f"give one with {flag}" + (f"; {_NO_LABELS}" if flag == _LABEL_FLAG else "")
    )


def _listing(facts: FileFacts) -> str:
    shown = [repr(name[:_SHOWN_CHARACTERS]) for name in facts.columns[:_SHOWN_COLUMNS]]
    return ", ".join([*shown, "..."] if len(facts.columns) > _SHOWN_COLUMNS else shown)


def _demand_types(wanted: CorpusRange, facts: FileFacts) -> None:
    for flag, name in _flags(wanted):
        kind = facts.schema.field(name).type
        if flag == _TEXT_FLAG and not parquet.is_text(kind):
            raise UsageError(f"{facts.uri}: column {name!r} holds {kind}, not texts; name another "
                             f"with {flag}")  # fmt: skip
        if flag == _LABEL_FLAG and not parquet.is_label(kind):
            raise UsageError(f"{facts.uri}: column {name!r} holds {kind}, not one label a row; "
                             f"name another with {flag}; {_NO_LABELS}")  # fmt: skip
