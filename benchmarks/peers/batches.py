"""Batches of an input pipeline: going through them, and telling whether two are the same."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np


def count_examples(batches: Iterable[Any]) -> int:
    """Goes through batches of token ids [batch, length] and labels [batch]."""
    return sum(int(ids.shape[0]) for ids, _ in batches)


def write_digest(batches: Iterable[Any], examples: int, output: str) -> None:
    """Notes in OUTPUT/batches.json how many examples there were, and a hash of what they hold."""
    digest = hashlib.sha256()
    for ids, labels in batches:
        for values in (ids, labels):
            digest.update(np.asarray(values).astype("<i8").tobytes())
    noted = {"examples": examples, "sha256": digest.hexdigest()}
    Path(output, "batches.json").write_text(json.dumps(noted), encoding="utf-8")
