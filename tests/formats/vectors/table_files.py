"""Word vectors in the containers that keep tokens and floats apart, and how they are read back."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from typing import Any, BinaryIO, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.ipc as ipc
import pyarrow.parquet as pq
from hypothesis import strategies as st

from formats.vectors.records import ArrayRows

# What str.split and str.splitlines take for white space, and what is no UTF-8.
ODD_TOKENS = [
    b"a b", "\x85".encode(), "\u00a0".encode(), "\u2028x".encode(), "\u3000".encode(),
    b" ", b"", b"\xc3\xff", "\ud55c\uad6d".encode()[:4], b"a\rb", b"the", b"the", b"\x1c",
]  # fmt: skip

characters = st.text("ab \u00e9\ud55c\x0b\x1c\x85\xa0\u2028\u3000\t", max_size=6)
any_tokens = st.one_of(
    characters.map(str.encode), st.sampled_from(ODD_TOKENS), st.binary(max_size=5)
)
text_tokens = any_tokens.filter(lambda token: b"\n" not in token and not token.endswith(b"\r"))
utf8_tokens = st.one_of(characters, st.text(st.characters(exclude_categories=["Cs"]), max_size=4))


class SeeksAndCounts(io.BytesIO):
    """A file that counts the bytes that are read from it, and may refuse to seek."""

    def __init__(self, data: bytes, *, seekable: bool = True) -> None:
        super().__init__(data)
        self._seekable = seekable
        self.bytes_read = 0
        self.largest_read = 0

    def seekable(self) -> bool:
        return self._seekable

    def seek(self, *arguments: int) -> int:
        assert self._seekable
        return super().seek(*arguments)

    def read(self, size: int | None = -1) -> bytes:
        data = super().read(size)
        self.bytes_read += len(data)
        self.largest_read = max(self.largest_read, len(data))
        return data


class Opened(NamedTuple):
    """What an array's vocabulary text is opened by."""

    files: dict[str, bytes]

    def __call__(self, uri: str) -> BinaryIO:
        return io.BytesIO(self.files[uri])


class Back(NamedTuple):
    tokens: list[bytes]
    positions: list[int]
    vectors: bytes


def read_back(blocks: Iterable[ArrayRows], wanted: Sequence[bytes] | None = None) -> Back:
    """The tokens of all rows, and the rows whose token is wanted; all without a list of them."""
    tokens: list[bytes] = []
    positions: list[int] = []
    vectors = []
    row = None
    for block in blocks:
        assert block.first_row == (block.first_row if row is None else row)
        row = block.first_row + len(block.tokens)
        chosen = [i for i, t in enumerate(block.tokens) if wanted is None or t in wanted]
        tokens += block.tokens
        positions += [block.first_row + index for index in chosen]
        if chosen:
            read = block.read(np.array(chosen))
            assert (read.dtype, len(read)) == (np.dtype(np.float32), len(chosen))
            vectors.append(read.tobytes())
    return Back(tokens, positions, b"".join(vectors))


def vocabulary_text(
    tokens: Sequence[bytes], line_end: bytes = b"\n", last_end: bool = True
) -> bytes:
    data = b"".join(token + line_end for token in tokens)
    return data if last_end else data.removesuffix(line_end)


def npy(values: Any, version: tuple[int, int] | None = None) -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array(file, np.asarray(values), version=version, allow_pickle=False)
    return file.getvalue()


def table(
    tokens: Sequence[Any],
    matrix: Any,
    *,
    fixed: bool = True,
    token_type: Any = None,
    large: bool = False,
) -> Any:
    """A table of two columns, called as spaCy's and others' exports are."""
    token_type = token_type or (
        pa.string() if all(isinstance(t, str) for t in tokens) else pa.binary()
    )
    rows, dim = matrix.shape
    flat = pa.array(matrix.reshape(-1))
    if fixed:
        vectors = pa.FixedSizeListArray.from_arrays(flat, dim)
    else:
        offsets = np.arange(rows + 1) * dim
        vectors = (
            pa.LargeListArray.from_arrays(pa.array(offsets, pa.int64()), flat)
            if large
            else pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), flat)
        )
    return pa.table({"word": pa.array(tokens, token_type), "embedding": vectors})


def parquet_bytes(rows: Any, **options: Any) -> bytes:
    file = io.BytesIO()
    pq.write_table(rows, file, **options)
    return file.getvalue()


def arrow_bytes(
    rows: Any, chunk: int | None = None, *, in_file: bool = True, compression: str | None = None
) -> bytes:
    file = io.BytesIO()
    make = ipc.new_file if in_file else ipc.new_stream
    with make(file, rows.schema, options=ipc.IpcWriteOptions(compression=compression)) as writer:
        writer.write_table(rows, max_chunksize=chunk)
    return file.getvalue()
