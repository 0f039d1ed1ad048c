"""What the join looks up, made once in each worker process and kept there."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any, cast

from apache_beam.utils.shared import Shared

from formats.vectors.lookup import Lookup, make_lookup
from formats.vectors.model_words import WordPlan


class SharedLookup:
    """The lookup of a vocabulary, and what was worked out from it for each fastText model.

    All is kept under one handle, because Beam keeps only one shared object of a stage alive.

    Args:
        rules: as ``formats.vectors.forms.make_lookup`` takes them.
        unk_tokens: the same.
    """

    def __init__(self, rules: Sequence[str], unk_tokens: Sequence[str]) -> None:
        self._arguments = tuple(rules), tuple(unk_tokens)
        self._shared = Shared()

    def of(self, vocabulary: Any) -> Lookup:
        """The lookup of a block of ``formats.blocks.VOCABULARY``."""
        return self._kept(vocabulary).lookup

    def plan(self, vocabulary: Any, source: int, make: Callable[[Lookup], WordPlan]) -> WordPlan:
        """The plan for the model that is the source of this ordinal, made if there is none."""
        kept = self._kept(vocabulary)
        with kept.lock:
            if source not in kept.plans:
                kept.plans[source] = make(kept.lookup)
            return kept.plans[source]

    def _kept(self, vocabulary: Any) -> _Kept:
        make = self._arguments
        kept = self._shared.acquire(lambda: _Kept(make_lookup(vocabulary.column("token"), *make)))
        return cast(_Kept, kept)


class _Kept:
    def __init__(self, lookup: Lookup) -> None:
        self.lookup = lookup
        self.plans: dict[int, WordPlan] = {}
        self.lock = threading.Lock()
