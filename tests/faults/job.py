"""A build that takes a second or so, the state of its OUTPUT, and the processes of a session."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from formats.dataset.manifest import parse_manifest, published_files
from pipeline.verify import verify_dataset

ROOT = Path(__file__).parents[2]
PROCESSES = ("--direct_num_workers=2", "--direct_running_mode=multi_processing")
THREADS = ("--direct_num_workers=2",)


class Job:
    """Inputs, and the flags of a build of them.

    Args:
        folder: holds the inputs.
        output: where the dataset is published.
        rows: of the corpus.
        dim: of the vectors.
    """

    def __init__(self, folder: Path, output: Path, rows: int = 12000, dim: int = 20) -> None:
        draw = random.Random(0)
        words = [f"word{number}" for number in range(5000)]
        texts = (f"{' '.join(draw.choices(words, k=20))}\t{i % 2}\n" for i in range(rows))
        corpus, vectors = folder / "corpus.tsv", folder / "vectors.txt"
        corpus.write_text("text\tlabel\n" + "".join(texts))
        vectors.write_text(
            "".join(f"{word} {' '.join(f'{draw.random():.4f}' for _ in range(dim))}\n"
                    for word in words)
        )  # fmt: skip
        self.corpus, self.output = corpus, output
        self.arguments = [
            "build", f"--corpus={corpus}", f"--vectors={vectors}", f"--output={output}",
        ]  # fmt: skip


def run_in_force(output: Path) -> str:
    return parse_manifest((output / "manifest.json").read_bytes(), "manifest.json").run_id


def files_of(output: Path) -> set[str]:
    return {str(path.relative_to(output)) for path in output.rglob("*") if not path.is_dir()}


def not_published(output: Path) -> set[str]:
    """What stands under OUTPUT besides datasets: files that no manifest names, empty folders."""
    named = {"manifest.json"}
    for path in output.glob("runs/*/manifest.json"):
        manifest = parse_manifest(path.read_bytes(), str(path))
        named |= {file.path for file in published_files(manifest)}
        named.add(str(path.relative_to(output)))
    folders = {str(path.relative_to(output)) for path in output.rglob("*") if path.is_dir()}
    empty = {folder for folder in folders if not any((output / folder).iterdir())}
    return files_of(output) - named | empty


def problems(output: Path) -> list[str]:
    """Of the dataset in force, and of each run that says by its manifest that it is complete."""
    found = verify_dataset(str(output))
    for path in output.glob("runs/*/manifest.json"):
        manifest = parse_manifest(path.read_bytes(), str(path))
        found += [
            f"{file.path} is gone"
            for file in published_files(manifest)
            if not (output / file.path).exists()
        ]
    return found


def processes_of(session: int) -> list[int]:
    """The living processes of a session but its first."""
    return [pid for pid, own in _sessions() if own == session and pid != session]


def _sessions() -> Iterator[tuple[int, int]]:
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if fields[0] != "Z":
            yield int(stat.parent.name), int(fields[3])


def wait_for(condition: Callable[[], bool], seconds: float) -> bool:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if condition():
            return True
        time.sleep(0.02)
    return condition()


def at_work(output: Path, run_id: str) -> bool:
    """Whether a run has begun to write, more than a file to see whether it can."""
    return any(not path.name.startswith("probe") for path in (output / "runs" / run_id).glob("*"))
