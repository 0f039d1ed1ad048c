"""Which rows of the matrix the tokens of a vector file serve."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from formats.dataset.vocabulary import OOV_ID
from formats.token_hashes import hash_array
from formats.vectors.forms import FORMS, list_forms, list_unk_forms
from formats.vectors.sieve import TokenSieve, make_sieve

_NO_FORMS = pa.array([], pa.binary()).dictionary_encode()


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
    words = list_forms(tokens[OOV_ID + 1 :], OOV_ID + 1, rules)
    return make_lookup_of_forms([list_unk_forms(unk_tokens), words])


def make_lookup_of_forms(batches: Sequence[Any]) -> Lookup:
    """Prepares the lookup of batches of ``FORMS``, which may be in any order."""
    table = pa.Table.from_batches(batches, schema=FORMS).combine_chunks()
    [encoded] = table.column("form").dictionary_encode().chunks or [_NO_FORMS]
    number = encoded.indices.to_numpy()
    order = np.argsort(number, kind="stable")
    forms = encoded.dictionary
    row, rule, part, parts = (
        table.column(name).to_numpy()[order] for name in ("row", "rule", "part", "parts")
    )
    return Lookup(
        dict(zip(forms.to_pylist(), range(len(forms)), strict=True)),
        make_sieve([hash_array(forms)], len(forms)),
        np.searchsorted(number[order], np.arange(len(forms) + 1)),
        row,
        rule,
        part,
        parts,
    )
