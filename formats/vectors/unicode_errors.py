"""Tokens of vector files that are not UTF-8: the policies of ``--unicode_errors``.

Files hold such tokens for real: word2vec.c cuts tokens at 98 bytes, in the middle of a character
where it comes so, and corpora were in another encoding than their readers thought. Tokens are
looked up as bytes, and those of a corpus are always UTF-8, so that a token which is not is never
found, unless it is made readable first.
"""

from __future__ import annotations

from collections.abc import Callable

from formats.errors import DataError

STRICT, REPLACE, SKIP = "strict", "replace", "skip"
UNICODE_ERRORS = (STRICT, REPLACE, SKIP)


def readable_tokens(
    tokens: list[bytes], unicode_errors: str, name: str, place: Callable[[int], str]
) -> list[bytes]:
    """The tokens as they are looked up.

    Args:
        tokens: some tokens of a file.
        unicode_errors: ``skip`` leaves a token that is not UTF-8 as it is, so that nothing
            finds it; ``replace`` puts U+FFFD in the place of its bad bytes, as Python's
            ``bytes.decode`` does; ``strict`` raises.
        name: what messages call the file.
        place: gives what messages call the place of a token, by its index.

    Raises:
        DataError: by ``strict``, for the first token that is not UTF-8.
    """
    if unicode_errors == SKIP or _are_utf8(tokens):
        return tokens
    if unicode_errors == REPLACE:
        return [token.decode(errors="replace").encode() for token in tokens]
    index = next(index for index, token in enumerate(tokens) if not _are_utf8([token]))
    raise DataError(
        f"{name}: {place(index)}: expected a token in UTF-8, found {tokens[index][:60]!r}; save "
        "the file as UTF-8, or let such tokens pass with --unicode_errors skip or replace"
    )


def _are_utf8(tokens: list[bytes]) -> bool:
    # A character can't go on over a newline, so all are valid together or not.
    try:
        b"\n".join(tokens).decode()
    except UnicodeDecodeError:
        return False
    return True
