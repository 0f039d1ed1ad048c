"""Vector files that are damaged, each in one way."""

from __future__ import annotations

import gzip
import io
import zipfile

from tests.pipeline.bad_input.bench import DIM, ROWS, TEXT, VECTORS, WORDS

BINARY_ROWS = [
    word.encode() + b" " + row.tobytes() + b"\n" for word, row in zip(WORDS, VECTORS, strict=True)
]


def with_header(rows: list[bytes], count: int, dim: int = DIM) -> bytes:
    return f"{count} {dim}\n".encode() + b"".join(rows)


def zipped(*names: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in names:
            archive.writestr(name, TEXT)
    return buffer.getvalue()


# name, bytes, and what the line says behind the name of the file
DAMAGED = {
    "0 bytes": ("empty.txt", b"", "byte 0: expected a vector file, found 0 bytes"),
    "HTML": ("page.txt", b"<!DOCTYPE html>\n<p>Moved", "byte 0: .* an HTML page"),
    "HTML called zip": ("page.zip", b"<html></html>", "byte 0: .* an HTML page"),
    "text cut in a float": (
        "cut.txt",
        TEXT[: -len(ROWS[-1])] + ROWS[-1][:16],
        "row 40, byte 1[0-9]{3}: expected a token and 4 floats, found 2",
    ),
    "text cut in a token": (
        "cut.txt",
        TEXT[: -len(ROWS[-1])] + b"wor",
        "row 40, byte 1[0-9]{3}: expected a token and 4 floats, found 0",
    ),
    "text with a header that counts too many": (
        "count.txt",
        with_header(ROWS, 41),
        "row 41: expected 41 rows, as the header says, found 40",
    ),
    "text with a header that counts too few": (
        "count.txt",
        with_header(ROWS, 39),
        "row 40: expected 39 rows, as the header says, found 40",
    ),
    "text with a header of other dimensions": (
        "dim.txt",
        with_header(ROWS, 40, 3),
        "row 1, byte 5: expected a token and 3 floats, found 4",
    ),
    "a row that is too short": (
        "narrow.txt",
        b"".join([*ROWS[:20], b"odd 0.5 0.25\n", *ROWS[20:]]),
        "row 21, byte [0-9]+: expected a token and 4 floats, found 2",
    ),
    "a row that is too long": (
        "wide.txt",
        b"".join([*ROWS[:20], b"odd 0.1 0.2 0.3 0.4 0.5 0.6 0.7\n", *ROWS[20:]]),
        "row 21, byte [0-9]+: expected a token and 4 floats, found 7",
    ),
    "a row that is wanted and not finite": (
        "nan.txt",
        b"".join([*ROWS[:20], b"word20 nan 1 1 1\n", *ROWS[21:]]),
        "byte [0-9]+: expected finite floats, found b'nan 1 1 1'",
    ),
    "a row that is wanted and no number": (
        "word.txt",
        b"".join([*ROWS[:20], b"word20 1 1 one 1\n", *ROWS[21:]]),
        "byte [0-9]+: expected finite floats, found b'1 1 one 1'",
    ),
    "binary cut in a float": (
        "cut.bin",
        with_header(BINARY_ROWS, 40)[:-7],
        "record 40, byte [0-9]+: .* the end of the file after",
    ),
    "binary cut in a token": (
        "cut.bin",
        with_header([*BINARY_ROWS[:-1], b"wor"], 40),
        "record 40, byte [0-9]+: .* the end of the file after 3 bytes",
    ),
    "binary with a header that counts too many": (
        "count.bin",
        with_header(BINARY_ROWS, 41),
        "row 41: expected 41 rows, as the header says, found 40",
    ),
    "binary with a header that counts too few": (
        "count.bin",
        with_header(BINARY_ROWS, 39),
        "row 40: expected 39 rows, as the header says, found 40",
    ),
    "gzip cut": ("cut.gz", gzip.compress(TEXT)[:-9], "decompressed byte [0-9]+: "),
    "zip cut": ("cut.zip", zipped("a.txt")[:-30], "end of file: .* zip archive's central"),
    "a fastText model": (
        "model.bin",
        b"\xba\x16\x4f\x2f" + bytes(99),
        "byte 4: expected a fastText model of version 11 or 12",
    ),
    "a pickle": (
        "model.bin",
        b"\x80\x04K\x01.",
        "a Python pickle, as gensim's .* only with --allow_pickle",
    ),
}
