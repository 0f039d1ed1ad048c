"""Writing word2vec's binary format, as word2vec.c does.

A line with the number of rows and of dimensions; then for each row the token, a space, the
dimensions as little-endian float32, and a newline, which readers pass over.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
import pyarrow.compute as pc

from formats.errors import DataError


def demand_tokens_without_separators(tokens: Any, format: str) -> None:
    """Checks that a format can hold tokens that a space or the end of a line would end.

    Args:
        tokens: ``pa.StringArray``.
        format: what messages call the format.

    Raises:
        DataError: one is empty or holds a space or a newline; it names the first such.
    """
    unwritable = pc.or_(pc.equal(tokens, ""), pc.match_substring_regex(tokens, "[ \n]"))
    row = pc.index(unwritable, True).as_py()
    if row >= 0:
        raise DataError(
            f"token {tokens[row].as_py()!r} (row {row}): {format} can't hold it, since a space "
            "or a newline ends a token there; choose a --tokenizer that gives no such tokens, or "
            "a format that holds them, such as npz"
        )


def write_word2vec_header(file: BinaryIO, rows: int, dim: int) -> None:
    """Writes the header line."""
    file.write(f"{rows} {dim}\n".encode())


def write_word2vec_rows(
    file: BinaryIO, tokens: Sequence[str], vectors: npt.NDArray[np.floating[Any]]
) -> None:
    """Writes rows behind the header or behind earlier rows.

    Args:
        file: writable binary file.
        tokens: checked by ``demand_tokens_without_separators``.
        vectors: [len(tokens), dim]; float16 is widened to float32, which changes no value.
    """
    data = np.ascontiguousarray(vectors, "<f4").tobytes()
    width = 4 * vectors.shape[1]
    file.write(
        b"".join(
            b"%b %b\n" % (token.encode(), data[start : start + width])
            for token, start in zip(tokens, range(0, len(data), width), strict=True)
        )
    )
