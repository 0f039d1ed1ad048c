"""Tokenizers: from Arrow strings to Arrow lists of tokens, a block at a time.

``basic`` is what Keras' ``text_to_word_sequence`` does: lower-case, punctuation to space, split
on white space. Keras parts tokens at tab, newline and space; here, as in fastText's and
word2vec's programs, the other ASCII white space parts them too. White space beyond ASCII, such
as U+00A0 and U+3000, stays inside of tokens in all of them.
"""

from __future__ import annotations

import importlib
import operator
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from formats.errors import DataError, UsageError

Tokenizer = Callable[[Any], Any]
"""Takes a ``pa.StringArray`` without nulls, gives a ``pa.ListArray`` of strings of its length.

There is no null and no empty token in it, and none with a newline.
"""

PUNCTUATION = b'!"#$%&()*+,-./:;<=>?@[\\]^_`{|}~'

# Bytes of characters beyond ASCII stay as they are.
_BASIC_TABLE = bytes.maketrans(PUNCTUATION, b" " * len(PUNCTUATION)).lower()

# Arrow lower-cases each character by itself. For two characters Unicode says otherwise: U+0130
# becomes two characters, and what U+03A3 becomes depends on its neighbours.
_SPECIAL_CASES = ("\u0130", "\u03a3")

_EXCERPT = 80


def make_tokenizer(spec: str) -> Tokenizer:
    """Makes the tokenizer that a flag names.

    Args:
        spec: ``basic``, ``whitespace``, ``regex:PATTERN`` (Python's ``re``; each match is a
            token), or ``module:function`` (a function from a text to a list of tokens).

    Raises:
        UsageError: the spec names no tokenizer, or the pattern or function can't be used.
    """
    kind, mark, value = spec.partition(":")
    if spec == "basic":
        return tokenize_basic
    if spec == "whitespace":
        return tokenize_whitespace
    if kind == "regex" and mark:
        return _regex_tokenizer(spec, value)
    if kind and value:
        return _function_tokenizer(spec, kind, value)
    raise UsageError(
        f"--tokenizer {spec}: expected basic, whitespace, regex:PATTERN or module:function"
    )


def tokenize_basic(texts: Any) -> Any:
    """Lower-cases, turns ASCII punctuation but the apostrophe to space, splits on white space."""
    if not len(texts):
        return _no_rows()
    data = _data(texts)
    if not data.isascii():
        texts = _lower(texts, data)
        data = _data(texts)
    return tokenize_whitespace(_with_data(texts, data.translate(_BASIC_TABLE)))


def tokenize_whitespace(texts: Any) -> Any:
    """Splits on ASCII white space and changes nothing else."""
    if not len(texts):
        return _no_rows()
    trimmed = pc.ascii_trim_whitespace(texts)
    tokens = pc.ascii_split_whitespace(trimmed)
    # A blank row comes out as one empty token.
    if np.diff(_offsets(trimmed)).all():
        return tokens
    return _without(tokens, np.asarray(pc.equal(tokens.flatten(), "")))


def _lower(texts: Any, data: bytes) -> Any:
    lowered = pc.utf8_lower(texts)
    # One byte is found many times as fast as two, and texts in most scripts have not even that.
    encoded = [character.encode() for character in _SPECIAL_CASES]
    if not any(character[:1] in data and character in data for character in encoded):
        return lowered
    special = pc.or_(*(pc.match_substring(texts, character) for character in _SPECIAL_CASES))
    by_python = [text.lower() for text in texts.filter(special).to_pylist()]
    return pc.replace_with_mask(lowered, special, pa.array(by_python, pa.string()))


def _regex_tokenizer(spec: str, pattern: str) -> Tokenizer:
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise UsageError(f"--tokenizer {spec}: not a regular expression: {error}") from error

    def find(text: str) -> list[str]:
        return [token for match in compiled.finditer(text) if (token := match.group())]

    return lambda texts: _tokenize_each(texts, find, spec)


def _function_tokenizer(spec: str, module: str, name: str) -> Tokenizer:
    try:
        function = operator.attrgetter(name)(importlib.import_module(module))
    except Exception as error:  # a module may raise anything while it is imported
        raise UsageError(
            f"--tokenizer {spec}: {error}; the module must be installed or on PYTHONPATH, here "
            "and on the workers"
        ) from error
    if not callable(function):
        raise UsageError(f"--tokenizer {spec}: {name} is not a function")
    return lambda texts: _tokenize_each(texts, function, spec)


def _tokenize_each(texts: Any, function: Callable[[str], list[str]], spec: str) -> Any:
    """Calls a function for each text and checks what it gives."""
    rows = []
    for text in texts.to_pylist():
        try:
            tokens = function(text)
        except Exception as error:
            problem = f"{type(error).__name__}: {error}"
            raise DataError(_complaint(spec, text, problem)) from error
        if not isinstance(tokens, list) or not all(isinstance(token, str) for token in tokens):
            raise DataError(_complaint(spec, text, "did not give a list of strings"))
        if any(not token or "\n" in token for token in tokens):
            problem = "gave an empty token, or one with a newline, which a vocabulary can't hold"
            raise DataError(_complaint(spec, text, problem))
        rows.append(tokens)
    try:
        return pa.array(rows, pa.list_(pa.string()))
    except UnicodeEncodeError as error:
        raise DataError(f"--tokenizer {spec}: gave a token that is not Unicode: {error}") from error


def _complaint(spec: str, text: str, problem: str) -> str:
    return f"--tokenizer {spec}: {problem}; for the text {text[:_EXCERPT]!r}"


def _no_rows() -> Any:
    return pa.array([], pa.list_(pa.string()))


def _offsets(texts: Any) -> Any:
    first = texts.offset
    return np.frombuffer(texts.buffers()[1], np.int32)[first : first + len(texts) + 1]


def _data(texts: Any) -> bytes:
    """The bytes of all texts, one after the other; the array may be a slice of a larger one."""
    offsets = _offsets(texts)
    return bytes(memoryview(texts.buffers()[2] or b"")[offsets[0] : offsets[-1]])


def _with_data(texts: Any, data: bytes) -> Any:
    """The same lengths over other bytes."""
    offsets = _offsets(texts)
    buffers = [None, pa.py_buffer(offsets - offsets[0]), pa.py_buffer(data)]
    return pa.Array.from_buffers(pa.string(), len(texts), buffers)


def _without(tokens: Any, unwanted: Any) -> Any:
    """Lists without some of their tokens, given as a mask over all tokens."""
    kept_before = np.concatenate([[0], np.cumsum(~unwanted)])
    offsets = np.asarray(tokens.offsets)
    kept = tokens.flatten().filter(pa.array(~unwanted))
    return pa.ListArray.from_arrays(pa.array(kept_before[offsets - offsets[0]], pa.int32()), kept)
