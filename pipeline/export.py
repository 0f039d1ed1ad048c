"""``embprep export OUTPUT``: the embedding matrix as a file for gensim and others."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from typing import Any

from formats.dataset.embedding_matrix import MATRIX_FORMATS, open_shard
from formats.dataset.export import EXPORT_FORMATS, Table, demand_exportable, write_export
from formats.dataset.manifest import Manifest, parse_manifest, published_files
from formats.dataset.paths import MANIFEST_PATH, run_manifest_path
from formats.dataset.vocabulary import read_vocabulary_text
from formats.errors import DataError, UsageError, damaged
from pipeline.flags import FlagParser, read_arguments
from pipeline.output_file import check_output_file
from transforms.storage import (
    create_file,
    exists,
    is_local,
    join,
    open_file,
    read_file,
    use_options,
)

_READ_BYTES = 1 << 20
_REMEDY = "build the dataset again"


def export(arguments: Sequence[str]) -> int:
    """Runs ``embprep export``.

    Args:
        arguments: the command line behind ``export``.

    Returns:
        The exit code, 0.

    Raises:
        UsageError: a flag that can't be used, or no dataset.
        DataError: the dataset is damaged, or the format can't hold one of its tokens.
    """
    flags, options = read_arguments(_parser(), arguments)
    use_options(options)
    manifest = export_dataset(flags.dataset, flags.format, flags.output)
    embeddings = manifest.embeddings
    print(f"{flags.output}: {embeddings.rows:,} rows of {embeddings.dim} as {flags.format}, "
          f"from run {manifest.run_id}")  # fmt: skip
    return 0


def _parser() -> FlagParser:
    parser = FlagParser(
        prog="embprep export",
        description="Writes the embedding matrix of a dataset as one file. Row i is the token "
        "with id i, so the first two rows are called [PAD] and [UNK].",
    )
    add = parser.add_argument
    add("--verbose", action="store_true", help="show tracebacks")
    add("dataset", metavar="OUTPUT", help="the dataset, as --output of embprep build names it")
    add("--format", required=True, choices=EXPORT_FORMATS, help="word2vec binary, GloVe text, or "
        "NumPy's npz with the arrays tokens and vectors")  # fmt: skip
    add("--output", required=True, metavar="FILE", help="path or URI of the file to write")
    return parser


def export_dataset(dataset: str, format: str, output: str) -> Manifest:
    """Writes the matrix of the dataset in force; its files are proved by their hashes first.

    Args:
        dataset: URI of the dataset.
        format: one of ``formats.dataset.export.EXPORT_FORMATS``.
        output: URI of the file, which is there whole afterwards, or as it was before.

    Returns:
        The manifest of the dataset.

    Raises:
        UsageError: there is no dataset, or the file can't be written.
        DataError: the dataset is damaged, or the format can't hold one of its tokens.
    """
    manifest = _read_manifest(dataset)
    _demand_apart(dataset, manifest, output)
    check_output_file(output)
    embeddings, info = manifest.embeddings, manifest.vocabulary
    if embeddings.format not in MATRIX_FORMATS:
        raise damaged(MANIFEST_PATH, "embeddings.format",
                      expected=f"one of {', '.join(MATRIX_FORMATS)}",
                      found=repr(embeddings.format), remedy=_REMEDY)  # fmt: skip
    _demand_hash(dataset, info.path, info.sha256)
    for shard in embeddings.shards:
        _demand_hash(dataset, shard.path, shard.sha256)
    tokens = read_vocabulary_text(read_file(join(dataset, info.path)), info.path)
    _demand(info.path, "tokens", embeddings.rows, len(tokens))
    demand_exportable(tokens, format)
    table = Table(tokens, embeddings.dim, embeddings.dtype, _blocks(dataset, manifest))
    with create_file(output) as file:
        write_export(file.stream, format, table)
    return manifest


def _read_manifest(dataset: str) -> Manifest:
    uri = join(dataset, MANIFEST_PATH)
    if not exists(uri):
        raise UsageError(f"{dataset}: no dataset: it holds no {MANIFEST_PATH}")
    return parse_manifest(read_file(uri), uri)


def _demand_apart(dataset: str, manifest: Manifest, output: str) -> None:
    """Refuses to replace a file of the dataset itself."""
    own = [file.path for file in published_files(manifest)]
    own += [MANIFEST_PATH, run_manifest_path(manifest.run_id)]
    if _place(output) in {_place(join(dataset, path)) for path in own}:
        raise UsageError(f"--output {output}: a file of the dataset itself; give another")


def _place(uri: str) -> str:
    return os.path.realpath(uri) if is_local(uri) else uri


def _demand_hash(dataset: str, path: str, expected: str) -> None:
    digest = hashlib.sha256()
    try:
        with open_file(join(dataset, path)) as file:
            while data := file.read(_READ_BYTES):
                digest.update(data)
    except OSError as error:
        raise DataError(f"{path}: missing, or can't be read: {error}; {_REMEDY}") from error
    _demand(path, "sha256", expected, digest.hexdigest())


def _blocks(dataset: str, manifest: Manifest) -> Iterator[Any]:
    embeddings = manifest.embeddings
    row = 0
    for shard in embeddings.shards:
        _demand(shard.path, "first row", row, shard.first_row)
        with open_file(join(dataset, shard.path)) as file:
            opened = open_shard(file, embeddings.format, shard.path)
            found = (opened.rows, opened.dim, opened.dtype)
            expected = (shard.rows, embeddings.dim, embeddings.dtype)
            _demand(shard.path, "rows, dimensions and dtype", expected, found)
            for block in opened.blocks:
                yield block.vectors
        row += shard.rows
    _demand(MANIFEST_PATH, "rows of all shards", embeddings.rows, row)


def _demand(path: str, what: str, expected: object, found: object) -> None:
    if expected != found:
        raise damaged(path, what, expected=str(expected), found=str(found), remedy=_REMEDY)
