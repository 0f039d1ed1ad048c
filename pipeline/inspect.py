"""``embprep inspect VECTORS``: what a vector file is, read from its first to its last row."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator

from formats.containers import PLAIN
from formats.vectors.array_rows import ArrayLayout
from formats.vectors.layout import Layout
from formats.vectors.proof import judge
from formats.vectors.records import RangeReport
from formats.vectors.source import (
    VectorSource,
    open_source,
    read_range,
    read_tokens,
    whole_range,
)
from pipeline.plan import inputs_opened, vector_file
from transforms.storage import exists, open_file

_SHOWN_TOKENS = 8
_LONG_TOKEN_BYTES = 98


def inspect(spec: str, allow_pickle: bool = False) -> int:
    """Prints what a vector file is: format, rows, dimension, tokens, irregularities.

    Args:
        spec: as ``--vectors`` of a build.
        allow_pickle: whether a pickle may be loaded, which runs code of whoever made it.

    Returns:
        The exit code, 0.

    Raises:
        UsageError: there is no such file.
        DataError: the file is damaged, or no vector file.
    """
    with inputs_opened():
        source = open_source(
            0,
            spec,
            vector_file(spec, "inspect").size,
            open_file,
            exists=exists,
            allow_pickle=allow_pickle,
        )
    first: list[str] = []
    oddities: Counter[str] = Counter()
    reports: list[RangeReport] = []
    seen: set[bytes] = set()
    for tokens in _read(source, reports):
        first.extend(token.decode(errors="replace") for token in tokens[:_SHOWN_TOKENS])
        oddities.update(_oddities(tokens, seen))
    verdict = judge(reports, source.layout, None, source.name)
    _print_table(source, verdict.rows, first[:_SHOWN_TOKENS], oddities)
    for warning in verdict.warnings:
        print(f"embprep: warning: {warning}", file=sys.stderr)
    if verdict.problem:
        raise verdict.problem
    return 0


def _read(source: VectorSource, reports: list[RangeReport]) -> Iterator[list[bytes]]:
    """Yields the tokens of the whole file, and adds the report of its reading to a list."""
    if source.model is not None:
        yield from read_tokens(source, open_file)
        reports.append(RangeReport(source.ordinal, 0, 0, 0, 0, source.layout.rows))
        return
    for records in read_range(source, whole_range(source), open_file):
        if isinstance(records, RangeReport):
            reports.append(records)
        else:
            yield records.tokens


def _oddities(tokens: list[bytes], seen: set[bytes]) -> Iterator[str]:
    for token in tokens:
        if token in seen:
            yield "tokens that come again (the first row counts)"
        seen.add(token)
        if not token.isascii():
            try:
                text = token.decode()
            except UnicodeDecodeError:
                yield "tokens that are not UTF-8"
                continue
            # Not told by str.isspace of ASCII: these break str.split and str.splitlines.
            if any(char.isspace() for char in text):
                yield "tokens with white space other than ASCII, such as U+00A0 or U+0085"
        if b" " in token:
            yield "tokens with spaces inside"
        if not token:
            yield "empty tokens"
        if len(token) >= _LONG_TOKEN_BYTES:
            yield f"tokens of {_LONG_TOKEN_BYTES} bytes or more (word2vec.c cuts there)"


def _print_table(
    source: VectorSource, rows: int, tokens: list[str], oddities: Counter[str]
) -> None:
    layout, container = source.layout, source.container
    with_header = not isinstance(layout, Layout) or layout.header_bytes
    header = f"{layout.rows:,} rows" if with_header and layout.rows >= 0 else "none"
    lines = [
        ("file", f"{source.name}, {source.size:,} bytes"),
        ("container", container.kind if container.kind == PLAIN else f"{container.kind} (packed)"),
        ("format", layout.format),
        ("header", header),
        ("rows", f"{rows:,}"),
        ("dimension", f"{layout.dim:,}"),
        *([("words", layout.tokens_uri)] if isinstance(layout, ArrayLayout) else []),
        *_about_model(source),
        ("tokens", " ".join(tokens)),
        *(("irregular", f"{number:,} {what}") for what, number in sorted(oddities.items())),
    ]
    for name, value in lines:
        print(f"{name:<10} {value}")


def _about_model(source: VectorSource) -> Iterator[tuple[str, str]]:
    if source.model is None:
        return
    head = source.model.head
    if head.has_ngrams:
        yield "n-grams", f"{head.minn} to {head.maxn} characters, in {head.bucket:,} buckets"
    else:
        yield "n-grams", "none, so that --oov subword makes nothing of it"
    if head.labels:
        yield "labels", f"{head.labels:,}, which are no tokens"
