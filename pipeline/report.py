"""The short table at the end of a build."""

from __future__ import annotations

from formats.dataset.manifest import Manifest

_SHOWN_LABELS = 10


def summary_table(manifest: Manifest, output: str, seconds: float) -> str:
    """What a published dataset holds, for people."""
    coverage = manifest.coverage
    embeddings = manifest.embeddings
    splits = ", ".join(
        f"{split} {info.examples:,}" for split, info in manifest.examples.splits.items()
    )
    rejected = sum(manifest.rejects.corpus.values()), sum(manifest.rejects.vectors.values())
    rows = [
        ("vocabulary", f"{manifest.vocabulary.size:,} tokens, [PAD] and [UNK] included"),
        ("matched", f"{coverage.matched:,} ({coverage.type_coverage:.1%} of the vocabulary)"),
        ("token coverage", f"{coverage.token_coverage:.1%}"),
        (
            "matrix",
            f"{embeddings.rows:,} x {embeddings.dim} {embeddings.dtype}, "
            f"{len(embeddings.shards)} shard(s)",
        ),  # fmt: skip
        ("examples", splits),
        ("labels", _shown(manifest.labels)),
        ("rejects", f"{rejected[0]:,} corpus rows, {rejected[1]:,} vector rows"),
        ("time", f"{seconds:.1f} s"),
        ("dataset", f"{output} (run {manifest.run_id})"),
    ]
    return "\n".join(f"{name:<15} {value}" for name, value in rows)


def _shown(labels: list[str]) -> str:
    """The first labels; those with line breaks or very long ones keep the table a table."""
    first = ", ".join(" ".join(label.split())[:40] for label in labels[:_SHOWN_LABELS])
    more = f", ... ({len(labels):,} in all)" if len(labels) > _SHOWN_LABELS else ""
    return f"{first}{more}" or "none"
