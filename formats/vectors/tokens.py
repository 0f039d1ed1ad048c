"""Tokens of vector files, in file order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from formats.vectors.containers import OpenFile
from formats.vectors.records import Records
from formats.vectors.source import VectorSource, read_range, whole_range


def first_tokens(sources: Sequence[VectorSource], number: int, open_file: OpenFile) -> list[str]:
    """The first distinct tokens of the sources, read one after the other.

    A token that can't stand in a vocabulary file is passed over: one that is not UTF-8, is
    empty or holds a newline.
    """
    tokens: dict[str, None] = {}
    for token in _tokens(sources, open_file):
        if len(tokens) == number:
            break
        try:
            text = token.decode()
        except UnicodeDecodeError:
            continue
        if text and "\n" not in text:
            tokens[text] = None
    return list(tokens)


def _tokens(sources: Sequence[VectorSource], open_file: OpenFile) -> Iterator[bytes]:
    for source in sources:
        for records in read_range(source, whole_range(source), open_file):
            if isinstance(records, Records):
                yield from records.tokens
