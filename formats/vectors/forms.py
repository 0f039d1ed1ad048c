"""The forms under which a token is looked up: the rules of ``--fallback``.

A token that has no vector as it stands may have one in another form. Each rule gives one form,
or none where it would change nothing. The rules stand in the order in which they are asked for:
the first whose form has a vector wins.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from formats.dataset.vocabulary import OOV_ID
from formats.vectors.sieve import TokenSieve

EXACT, HYPHEN = "exact", "hyphen"

# What vector files call the vector for words that they don't know.
UNK_TOKENS = ("<unk>", "unk", "UNK")

_MOST_PARTS = 100

_DIGIT = re.compile("[0-9]")
# A word's first letter; not the one behind an apostrophe, which `str.title` would raise too.
_FIRST_LETTER = re.compile(r"(?<![\w'’])\w")


def _title(token: str) -> str:
    return _FIRST_LETTER.sub(lambda letter: letter[0].upper(), token.lower())


def _strip_accents(token: str) -> str:
    parts = unicodedata.normalize("NFD", token)
    kept = "".join(char for char in parts if not unicodedata.combining(char))
    return unicodedata.normalize("NFC", kept)


def _digits(token: str) -> str:
    return _DIGIT.sub("#", token)


_RULES: dict[str, Callable[[str], str]] = {
    EXACT: str,
    "lower": str.lower,
    "title": _title,
    "upper": str.upper,
    "strip_accents": _strip_accents,
    # GoogleNews was trained with each digit of longer numbers written as #.
    "digits": _digits,
}

RULES = (*_RULES, HYPHEN)


class Form(NamedTuple):
    """A form of a token, or one part of it.

    Attributes:
        text: what is looked up.
        rule: place of the rule among those asked for.
        part: which part of the form it is, from 0.
        parts: how many parts must all have a vector; the token's is their mean.
    """

    text: str
    rule: int
    part: int
    parts: int


def forms_of(token: str, rules: Sequence[str]) -> Iterator[Form]:
    """Yields the forms of a token by each rule, without those that an earlier rule gave."""
    given = set()
    for number, rule in enumerate(rules):
        if rule == HYPHEN:
            parts = token.split("-")
            if 1 < len(parts) <= _MOST_PARTS and all(parts):
                for part, text in enumerate(parts):
                    yield Form(text, number, part, len(parts))
            continue
        form = _RULES[rule](token)
        if form not in given:
            given.add(form)
            yield Form(form, number, 0, 1)


class Lookup(NamedTuple):
    """Which rows of the matrix a token of a vector file serves, and by which rule.

    A file's token is found in ``forms``; with n its number there, it serves the entries
    ``starts[n]`` to ``starts[n + 1]`` of the other arrays.

    Attributes:
        forms: UTF-8 of each form, and its number.
        sieve: of the forms.
        starts: int64 [forms + 1].
        rows: int32, rows of the matrix.
        rules: int8, places of the rules among those asked for.
        part: int8, which part of the form it is.
        parts: int8, how many parts the form has.
    """

    forms: dict[bytes, int]
    sieve: TokenSieve
    starts: npt.NDArray[np.int64]
    rows: npt.NDArray[np.int32]
    rules: npt.NDArray[np.int8]
    part: npt.NDArray[np.int8]
    parts: npt.NDArray[np.int8]


def make_lookup(tokens: Any, rules: Sequence[str], unk_tokens: Sequence[str]) -> Lookup:
    """Prepares the lookup of a vocabulary in vector files.

    Args:
        tokens: ``pa.StringArray`` of the whole vocabulary in the order of the ids.
        rules: the rules, in order.
        unk_tokens: what a file may call its vector for unknown words, in order; the first that
            it has becomes the row of [UNK].
    """
    forms: dict[bytes, int] = {}
    entries = [
        (forms.setdefault(unk_token.encode(), len(forms)), OOV_ID, place, 0, 1)
        for place, unk_token in enumerate(unk_tokens)
    ]
    add = _exact_entries if list(rules) == [EXACT] else _entries
    entries += add(tokens[OOV_ID + 1 :], rules, forms)
    number, row, rule, part, parts = np.array(entries, np.int64).reshape(-1, 5).T
    order = np.argsort(number, kind="stable")
    return Lookup(
        forms,
        TokenSieve(forms),
        np.searchsorted(number[order], np.arange(len(forms) + 1)),
        row[order].astype(np.int32),
        rule[order].astype(np.int8),
        part[order].astype(np.int8),
        parts[order].astype(np.int8),
    )


# (number of the form, row, rule, part, parts)
_Entry = tuple[int, int, int, int, int]


def _entries(words: Any, rules: Sequence[str], forms: dict[bytes, int]) -> Iterator[_Entry]:
    """Yields what serves the words, which are the rows from that behind [UNK] on; adds forms."""
    for row, token in enumerate(words.to_pylist(), OOV_ID + 1):
        for form in forms_of(token, rules):
            number = forms.setdefault(form.text.encode(), len(forms))
            yield number, row, form.rule, form.part, form.parts


def _exact_entries(words: Any, _: Sequence[str], forms: dict[bytes, int]) -> Iterator[_Entry]:
    """The same, several times as fast, when words are looked up only as they stand."""
    for row, word in enumerate(words.cast(pa.binary()).to_pylist(), OOV_ID + 1):
        yield forms.setdefault(word, len(forms)), row, 0, 0, 1
