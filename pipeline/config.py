"""The configuration of a build, as its flags give it."""

from __future__ import annotations

import dataclasses
from typing import Any

from formats.blocks import SPLITS

_CORPUS_RANGE, _ORDERED_RANGE, _VECTOR_RANGE, _MODEL_RANGE = 8 << 20, 32 << 20, 64 << 20, 4 << 30


@dataclasses.dataclass(frozen=True)
class BuildConfig:
    """The flags of ``embprep build``; each is explained in ``pipeline.flags``.

    ``range_bytes`` is no flag: it is how the input is cut for parallel reading, which changes no
    published byte, except with ``shuffle_seed`` None, where each range writes a shard.
    """

    corpus: list[str]
    vectors: list[str]
    output: str
    corpus_format: str = "auto"
    text_column: str | None = None
    label_column: str | None = None
    splits: dict[str, float] = dataclasses.field(
        default_factory=lambda: dict(zip(SPLITS, (0.8, 0.1, 0.1), strict=True))
    )
    tokenizer: str = "basic"
    max_tokens: int | None = None
    min_count: int = 1
    vocabulary: str | None = None
    vocabulary_splits: list[str] = dataclasses.field(default_factory=lambda: [SPLITS[0]])
    vector_tokens: int = 0
    combine: str = "first"
    fallback: list[str] = dataclasses.field(default_factory=lambda: ["exact"])
    oov: list[str] = dataclasses.field(default_factory=lambda: ["zeros"])
    oov_seed: int = 0
    unk_token: str | None = None
    unicode_errors: str = "skip"
    allow_pickle: bool = False
    join: str = "auto"
    dtype: str = "float32"
    matrix_shards: int | None = None
    matrix_format: str = "npy"
    max_length: int = 100
    padding: str = "post"
    truncating: str = "post"
    example_shards: int | None = None
    compression: str = "gzip"
    shuffle_seed: int | None = 0
    max_reject_fraction: tuple[float, float] = (0.01, 0.0)
    run_id: str | None = None
    range_bytes: int | None = None

    @property
    def corpus_range_bytes(self) -> int:
        """About how many bytes of the corpus are read as one piece of work."""
        # Small, so that workers end together, unless each gives a file.
        return self.range_bytes or (_ORDERED_RANGE if self.shuffle_seed is None else _CORPUS_RANGE)

    @property
    def vector_range_bytes(self) -> int:
        """The same of a vector file, where a byte is less work."""
        return self.range_bytes or _VECTOR_RANGE

    @property
    def model_range_bytes(self) -> int:
        """The same of a fastText model, of which each worker sums up rows for all words."""
        return self.range_bytes or _MODEL_RANGE

    def published(self) -> dict[str, Any]:
        """The configuration as the manifest keeps it: what a rebuild needs to get the same."""
        values = dataclasses.asdict(self)
        for name in ("output", "run_id", "join", "range_bytes"):
            del values[name]
        values["max_reject_fraction"] = list(self.max_reject_fraction)
        values["oov"] = ",".join(self.oov)
        return values
