"""Which rows train, validate and test, by a hash of their text."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import google_crc32c
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from formats.blocks import SPLITS
from formats.errors import UsageError
from formats.shuffle_order import mix
from formats.tokenizers import tokenize_basic

_TOLERANCE = 1e-6
_END_OF_HASHES = 2**64


def parse_splits(text: str) -> dict[str, float]:
    """Parses ``train=0.8,validation=0.1,test=0.1`` into fractions by name.

    Raises:
        UsageError: a name that is no split or comes twice, what is no number from 0 to 1, or
            fractions that do not add up to 1.
    """
    fractions: dict[str, float] = {}
    for part in text.split(","):
        name, mark, value = (piece.strip() for piece in part.partition("="))
        if name not in SPLITS or not mark:
            known = ", ".join(SPLITS)
            raise UsageError(f"--splits {text}: {part.strip()!r} is not NAME=FRACTION of {known}")
        if name in fractions:
            raise UsageError(f"--splits {text}: {name} comes twice")
        fractions[name] = _fraction(text, value)
    total = math.fsum(fractions.values())
    if abs(total - 1) > _TOLERANCE:
        raise UsageError(f"--splits {text}: the fractions add up to {total:g}, not to 1")
    return fractions


def assign_splits(texts: Any, fractions: Mapping[str, float]) -> npt.NDArray[np.int8]:
    """Assigns each text to a split.

    Texts that differ only in case, punctuation and white space get the same one, so that
    duplicates never straddle splits; the same on every machine and in every run.

    Args:
        texts: ``pa.StringArray`` without nulls.
        fractions: the share of each split, as ``parse_splits`` gives it.

    Returns:
        int8 [texts], indices into ``formats.blocks.SPLITS``.
    """
    return assign_splits_by_tokens(tokenize_basic(texts), fractions)


def assign_splits_by_tokens(tokens: Any, fractions: Mapping[str, float]) -> npt.NDArray[np.int8]:
    """The same, for texts that the ``basic`` tokenizer has already cut into tokens."""
    hashes = _hashes(tokens)
    used = [split for split, name in enumerate(SPLITS) if fractions.get(name, 0) > 0]
    below = 0.0
    bounds = []
    for split in used[:-1]:
        below += fractions[SPLITS[split]]
        bounds.append(min(int(below * _END_OF_HASHES), _END_OF_HASHES - 1))
    places = np.searchsorted(np.array(bounds, np.uint64), hashes, side="right")
    return np.array(used, np.int8)[places]


def _hashes(tokens: Any) -> npt.NDArray[np.uint64]:
    """SplitMix64 of the CRC-32C of each row's tokens, one after the other.

    Two texts of the same CRC only get the same split, and 2**32 places are fine enough for
    fractions. A CRC alone has the bits of similar texts in common; mixing spreads them.
    """
    flat = tokens.flatten()
    rows = np.asarray(tokens.offsets)
    ends = np.frombuffer(flat.buffers()[1] or b"\0\0\0\0", np.int32)[flat.offset :]
    # A row's tokens lie side by side, so that only the bounds between the rows are to be told.
    buffers = [None, pa.py_buffer(ends[rows - rows[0]]), flat.buffers()[2]]
    texts = pa.Array.from_buffers(pa.binary(), len(tokens), buffers)
    each = texts.to_numpy(zero_copy_only=False)
    crcs = np.fromiter(map(google_crc32c.value, each), np.uint64, len(each))
    return mix(crcs)


def _fraction(text: str, value: str) -> float:
    try:
        fraction = float(value)
    except ValueError:
        fraction = math.nan
    if not 0 <= fraction <= 1:
        raise UsageError(f"--splits {text}: {value!r} is not a fraction from 0 to 1")
    return fraction
