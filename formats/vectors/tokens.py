"""Tokens of vector files, in file order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from formats.containers import OpenFile
from formats.vectors.source import VectorSource, read_tokens
from formats.vectors.unicode_errors import SKIP, readable_tokens


def first_tokens(
    sources: Sequence[VectorSource],
    number: int,
    open_file: OpenFile,
    *,
    unicode_errors: str = SKIP,
) -> list[str]:
    """The first distinct tokens of the sources, read one after the other.

    A token that can't stand in a vocabulary file is passed over: one that is not UTF-8, is
    empty or holds a newline.

    Raises:
        DataError: a file is damaged, or holds a token that is not UTF-8 if that is an error.
    """
    tokens: dict[str, None] = {}
    for token in _tokens(sources, open_file, unicode_errors):
        if len(tokens) == number:
            break
        try:
            text = token.decode()
        except UnicodeDecodeError:
            continue
        if text and "\n" not in text:
            tokens[text] = None
    return list(tokens)


def _tokens(
    sources: Sequence[VectorSource], open_file: OpenFile, unicode_errors: str
) -> Iterator[bytes]:
    for source in sources:
        first = 1
        for tokens in read_tokens(source, open_file):

            def place(index: int, first: int = first) -> str:
                return f"row {first + index}"

            yield from readable_tokens(tokens, unicode_errors, source.name, place)
            first += len(tokens)
