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


# Forms and the rows of the matrix that they serve. `rule`, `part` and `parts` are those of `Form`.
FORMS = pa.schema(
    [
        pa.field("form", pa.binary(), nullable=False),
        pa.field("row", pa.int32(), nullable=False),
        pa.field("rule", pa.int8(), nullable=False),
        pa.field("part", pa.int8(), nullable=False),
        pa.field("parts", pa.int8(), nullable=False),
    ]
)


def list_forms(tokens: Any, first_row: int, rules: Sequence[str]) -> Any:
    """The forms of tokens, as a batch of ``FORMS``.

    Args:
        tokens: ``pa.StringArray``, words of the vocabulary.
        first_row: row of the matrix that the first of them has; the others follow.
        rules: the rules, in order.
    """
    if list(rules) == [EXACT]:
        rows = np.arange(first_row, first_row + len(tokens), dtype=np.int32)
        nothing = np.zeros(len(tokens), np.int8)
        return _forms(tokens.cast(pa.binary()), rows, nothing, nothing, nothing + 1)
    texts, entries = [], []
    for row, token in enumerate(tokens.to_pylist(), first_row):
        for form in forms_of(token, rules):
            texts.append(form.text.encode())
            entries.append((row, form.rule, form.part, form.parts))
    return _forms(texts, *np.array(entries, np.int32).reshape(-1, 4).T)


def list_unk_forms(unk_tokens: Sequence[str]) -> Any:
    """What may be the row of [UNK], as a batch of ``FORMS``.

    Args:
        unk_tokens: what a file may call its vector for unknown words, in order; the first that
            it has counts.
    """
    places = np.arange(len(unk_tokens))
    nothing = np.zeros_like(places)
    texts = [token.encode() for token in unk_tokens]
    return _forms(texts, nothing + OOV_ID, places, nothing, nothing + 1)


def _forms(texts: Any, *columns: npt.NDArray[Any]) -> Any:
    arrays = [pa.array(texts, pa.binary())]
    for column, field in zip(columns, list(FORMS)[1:], strict=True):
        arrays.append(pa.array(column, field.type))
    return pa.record_batch(arrays, schema=FORMS)
