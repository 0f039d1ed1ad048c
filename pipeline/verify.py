"""``embprep verify OUTPUT``: whether a dataset is whole, and keeps every rule it can show.

Files are read in blocks. Memory is bounded by the vocabulary and a few blocks.
"""

from __future__ import annotations

import hashlib
import itertools
import sys
from collections import Counter
from collections.abc import Callable
from typing import Any, BinaryIO

from formats.blocks import SPLITS
from formats.dataset.coverage import measure_coverage
from formats.dataset.embedding_matrix import MATRIX_FORMATS, ShardBlock, open_shard
from formats.dataset.examples import LABEL, example_features, parse_examples
from formats.dataset.manifest import (
    EmbeddingShard,
    ExampleShard,
    Manifest,
    PublishedFile,
    parse_manifest,
    published_files,
)
from formats.dataset.paths import MANIFEST_PATH, run_manifest_path
from formats.dataset.rejects import read_rejects
from formats.dataset.rules import (
    WRONG_RULES,
    ZeroColumns,
    broken_example_rules,
    expected_zeros,
    matrix_problems,
    vocabulary_problems,
)
from formats.dataset.tfrecord import GZIP, NONE, read_records
from formats.dataset.vocabulary import (
    OOV_ID,
    PAD_ID,
    read_vocabulary_table,
    read_vocabulary_text,
)
from formats.errors import DataError
from transforms.storage import join, open_file

_READ_BYTES = 1 << 20
_SHOWN_CHARACTERS = 200
# Numbers of one block of examples, 8 bytes each.
_BLOCK_IDS = 1 << 18


def verify(output: str) -> int:
    """Prints what is wrong with a dataset, one line a problem, or that nothing is.

    Args:
        output: URI of the dataset.

    Returns:
        The exit code: 0 if the dataset is whole, 1 if not.
    """
    verification = _Verification(output)
    verification.run()
    for problem in verification.problems:
        print(f"embprep: {problem}", file=sys.stderr)
    manifest = verification.manifest
    if verification.problems or manifest is None:
        print(f"embprep: {output}: {len(verification.problems)} problems", file=sys.stderr)
        return 1
    embeddings = manifest.embeddings
    examples = ", ".join(
        f"{split} {info.examples:,}" for split, info in manifest.examples.splits.items()
    )
    print(
        f"OK {output}: run {manifest.run_id}, {manifest.vocabulary.size:,} tokens, matrix "
        f"{embeddings.rows:,} x {embeddings.dim} {embeddings.dtype}, examples {examples}; "
        f"{verification.files:,} files, {verification.bytes:,} bytes hashed"
    )
    return 0


def verify_dataset(output: str) -> list[str]:
    """Re-hashes every published file of a dataset and checks the rules that it can show.

    Args:
        output: URI of the dataset.

    Returns:
        The problems, one line each; empty if the dataset is whole.
    """
    verification = _Verification(output)
    verification.run()
    return verification.problems


class _Verification:
    """Gathers problems. Each check goes on as far as the damage lets it."""

    def __init__(self, output: str) -> None:
        self.problems: list[str] = []
        self.manifest: Manifest | None = None
        self.files = 0
        self.bytes = 0
        self._output = output

    def run(self) -> None:
        self._attempt(MANIFEST_PATH, self._read_manifest)
        manifest = self.manifest
        if manifest is None:
            return
        self._attempt(run_manifest_path(manifest.run_id), self._check_kept_manifest, manifest)
        for file in published_files(manifest):
            self._attempt(file.path, self._check_hash, file)
        self._check_unique_paths(manifest)
        tokens, table = self._check_vocabulary(manifest)
        self._check_matrix(manifest, tokens, table)
        self._check_examples(manifest)
        if manifest.rejects.path is not None:
            self._attempt(manifest.rejects.path, self._check_rejects, manifest)

    def _attempt(self, path: str, check: Callable[..., Any], *arguments: Any) -> Any:
        """Makes a check; that its file can't be read is a problem like any other."""
        try:
            return check(*arguments)
        except DataError as error:
            self._report(str(error))
        except OSError as error:
            self._report(f"{path}: missing, or can't be read: {error}")
        return None

    def _report(self, problem: str) -> None:
        # A file that can't be opened would be told of by each check that needs it.
        problem = " ".join(problem.splitlines())
        if problem not in self.problems:
            self.problems.append(problem)

    def _expect(self, place: str, expected: Any, found: Any) -> None:
        if expected != found:
            self._report(f"{place}: expected {_short(expected)}, found {_short(found)}")

    def _open(self, path: str) -> BinaryIO:
        return open_file(join(self._output, path))

    def _read(self, path: str) -> bytes:
        with self._open(path) as file:
            return file.read()

    def _read_manifest(self) -> None:
        self.manifest = parse_manifest(self._read(MANIFEST_PATH), MANIFEST_PATH)

    def _check_kept_manifest(self, manifest: Manifest) -> None:
        kept = run_manifest_path(manifest.run_id)
        if self._read(kept) != self._read(MANIFEST_PATH):
            self._report(f"{kept}: differs from {MANIFEST_PATH}")

    def _check_hash(self, published: PublishedFile) -> None:
        digest, size = hashlib.sha256(), 0
        with self._open(published.path) as file:
            while block := file.read(_READ_BYTES):
                digest.update(block)
                size += len(block)
        if published.bytes is not None:
            self._expect(f"{published.path}: bytes", published.bytes, size)
        if published.sha256 is not None:
            self._expect(f"{published.path}: sha256", published.sha256, digest.hexdigest())
        self.files += 1
        self.bytes += size

    def _check_unique_paths(self, manifest: Manifest) -> None:
        for path, times in Counter(file.path for file in published_files(manifest)).items():
            if times > 1:
                self._report(f"{MANIFEST_PATH}: {path}: named {times} times")

    def _check_vocabulary(self, manifest: Manifest) -> tuple[Any, Any]:
        """Gives the tokens and the table; None for one that can't be read."""
        info = manifest.vocabulary
        self._expect(f"{MANIFEST_PATH}: vocabulary.pad_id", PAD_ID, info.pad_id)
        self._expect(f"{MANIFEST_PATH}: vocabulary.oov_id", OOV_ID, info.oov_id)
        tokens = self._attempt(
            info.path, lambda: read_vocabulary_text(self._read(info.path), info.path)
        )
        if tokens is not None:
            self._expect(f"{info.path}: vocabulary size", info.size, len(tokens))
        table = self._attempt(info.parquet_path, self._read_table, info.parquet_path)
        if table is not None:
            if tokens is not None and not table.column("token").combine_chunks().equals(tokens):
                self._report(f"{info.parquet_path}: its tokens are not those of {info.path}")
            sources = len(manifest.inputs.vectors)
            for problem in vocabulary_problems(table, manifest.config, sources):
                self._report(f"{info.parquet_path}: {problem}")
                if problem == WRONG_RULES:
                    return tokens, None
            self._check_coverage(manifest, table)
        return tokens, table

    def _read_table(self, path: str) -> Any:
        with self._open(path) as file:
            return read_vocabulary_table(file, path)

    def _check_coverage(self, manifest: Manifest, table: Any) -> None:
        published = manifest.coverage
        measured = measure_coverage(table, list(published.by_source), list(published.by_rule))
        for key, found in vars(measured).items():
            stated = getattr(published, key)
            self._expect(f"{MANIFEST_PATH}: coverage.{key} against the vocabulary", found, stated)
        self._expect(
            f"{MANIFEST_PATH}: inputs.vectors: matched, against the vocabulary",
            list(measured.by_source.values()),
            [source.matched for source in manifest.inputs.vectors],
        )

    def _check_matrix(self, manifest: Manifest, tokens: Any, table: Any) -> None:
        embeddings = manifest.embeddings
        place = f"{MANIFEST_PATH}: embeddings"
        self._expect(f"{place}.rows against vocabulary.size", manifest.vocabulary.size,
                     embeddings.rows)  # fmt: skip
        if embeddings.format not in MATRIX_FORMATS:
            self._report(f"{place}.format: expected one of {', '.join(MATRIX_FORMATS)}, found "
                         f"{embeddings.format!r}")  # fmt: skip
            return
        zeros = None if table is None else expected_zeros(table, manifest)
        row = 0
        for number, shard in enumerate(embeddings.shards):
            self._expect(f"{place}.shards[{number}].first_row", row, shard.first_row)
            self._attempt(shard.path, self._check_matrix_shard, manifest, shard, tokens, zeros)
            row = shard.first_row + shard.rows
        self._expect(f"{place}.rows against its shards", row, embeddings.rows)

    def _check_matrix_shard(
        self, manifest: Manifest, shard: EmbeddingShard, tokens: Any, zeros: Any
    ) -> None:
        embeddings = manifest.embeddings
        with self._open(shard.path) as file:
            opened = open_shard(file, embeddings.format, shard.path)
            expected = f"{shard.rows} x {embeddings.dim} {embeddings.dtype}"
            found = f"{opened.rows} x {opened.dim} {opened.dtype}"
            self._expect(f"{shard.path}: rows, dim and dtype", expected, found)
            row = shard.first_row
            for block in opened.blocks:
                for problem in matrix_problems(block, row, tokens):
                    self._report(f"{shard.path}: {problem}")
                if zeros is not None:
                    self._check_zeros(shard.path, block, row, zeros)
                row += len(block.vectors)

    def _check_zeros(
        self, path: str, block: ShardBlock, row: int, zeros: list[ZeroColumns]
    ) -> None:
        for part in zeros:
            missing = part.rows[row : row + len(block.vectors)]
            columns = block.vectors[: len(missing), part.first : part.last]
            wrong = columns.any(axis=1) & missing
            if wrong.any():
                self._report(
                    f"{path}: row {row + int(wrong.argmax())}: expected zeros, as its token has "
                    "no vector and embeddings.oov is zeros, found others"
                )

    def _check_examples(self, manifest: Manifest) -> None:
        examples, labels = manifest.examples, manifest.labels
        place = f"{MANIFEST_PATH}: examples"
        labelled = LABEL in examples.features
        self._expect(
            f"{place}.features",
            example_features(examples.max_length, labelled=labelled),
            examples.features,
        )
        if any(not _precedes(one, other) for one, other in itertools.pairwise(labels)):
            self._report(f"{MANIFEST_PATH}: labels: not sorted, or one comes twice")
        self._expect(f"{MANIFEST_PATH}: labels, whether there are any", labelled, bool(labels))
        for split, info in examples.splits.items():
            if split not in SPLITS:
                self._report(f"{place}.splits: {split!r} is none of {', '.join(SPLITS)}")
            self._expect(
                f"{place}.splits.{split}.examples against its shards",
                sum(shard.examples for shard in info.shards),
                info.examples,
            )
        if examples.compression not in (GZIP, NONE) or examples.max_length < 1:
            self._report(f"{place}: compression {examples.compression!r} and max_length "
                         f"{examples.max_length} can't be")  # fmt: skip
            return
        for shard in itertools.chain(*(info.shards for info in examples.splits.values())):
            self._attempt(shard.path, self._check_example_shard, manifest, shard)

    def _check_example_shard(self, manifest: Manifest, shard: ExampleShard) -> None:
        examples = manifest.examples
        step = max(1, _BLOCK_IDS // examples.max_length)
        first, told = 0, set()
        with self._open(shard.path) as file:
            records = read_records(file, examples.compression, shard.path)
            while block := list(itertools.islice(records, step)):
                parsed = parse_examples(
                    block,
                    examples.max_length,
                    labelled=LABEL in examples.features,
                    name=shard.path,
                    first_record=first,
                )
                for rule, wrong in broken_example_rules(parsed, manifest):
                    if rule not in told and wrong.any():
                        told.add(rule)
                        record = first + int(wrong.argmax())
                        self._report(f"{shard.path}: record {record}: {rule}")
                first += len(block)
        self._expect(f"{shard.path}: examples", shard.examples, first)

    def _check_rejects(self, manifest: Manifest) -> None:
        path = str(manifest.rejects.path)
        found: Counter[str] = Counter()
        unsorted = 0
        with self._open(path) as file:
            previous = None
            for number, reject in enumerate(read_rejects(file, path), 1):
                if not unsorted and previous is not None and reject < previous:
                    unsorted = number
                previous = reject
                found[reject.reason] += 1
        if unsorted:
            self._report(f"{path}: line {unsorted}: not sorted by file and offset")
        stated = Counter(manifest.rejects.corpus) + Counter(manifest.rejects.vectors)
        self._expect(f"{path}: rejects by reason", dict(sorted(stated.items())),
                     dict(sorted(found.items())))  # fmt: skip


def _precedes(one: str, other: str) -> bool:
    """Whether a label stands before another in the order of their UTF-8 bytes."""
    return one.encode("utf-8", "surrogatepass") < other.encode("utf-8", "surrogatepass")


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}..."
