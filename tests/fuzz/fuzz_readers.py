"""Coverage-guided fuzzing of one reader: ``python tests/fuzz/fuzz_readers.py TARGET FOLDER``.

FOLDER is where libFuzzer keeps its inputs; the seeds are written to it first. Flags of libFuzzer
may follow, such as ``-max_total_time=600``. Needs ``pip install atheris``.
"""

from __future__ import annotations

import resource
import sys
from pathlib import Path
from random import Random

import atheris

sys.path[0] = str(Path(__file__).resolve().parents[2])

with atheris.instrument_imports(include=["formats", "pipeline", "zipfile"]):
    from tests.fuzz.mutations import mutate_bytes
    from tests.fuzz.target import CHOICE_BYTES, Target, inputs_of, run
    from tests.fuzz.targets import TARGETS

_FLAGS = ["-timeout=10", "-rss_limit_mb=2048", "-max_len=8192", "-len_control=20"]
# Address space, so that asking for absurd amounts fails; threads take much that is never used.
_MOST_ADDRESSES = 6 << 30


def main() -> None:
    if len(sys.argv) < 3 or sys.argv[1] not in TARGETS:
        sys.exit(f"usage: {sys.argv[0]} TARGET FOLDER [flags of libFuzzer]; {', '.join(TARGETS)}")
    program, name, folder, *flags = sys.argv
    target = TARGETS[name]
    write_seeds(target, Path(folder))
    resource.setrlimit(resource.RLIMIT_AS, (_MOST_ADDRESSES, _MOST_ADDRESSES))
    mutator = {"custom_mutator": _mutator(target)} if target.mutate else {}
    atheris.Setup([program, *_FLAGS, *flags, folder], lambda data: run(target, data), **mutator)
    atheris.Fuzz()


def write_seeds(target: Target, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number, data in enumerate(inputs_of(target)):
        (folder / f"seed-{number:02d}").write_bytes(data)


def _mutator(target: Target):
    """Changes as the format suggests, mixed with libFuzzer's own and with changes of bytes."""

    def mutate(data: bytes, most: int, seed: int) -> bytes:
        random = Random(seed)
        head, file = data[:CHOICE_BYTES], data[CHOICE_BYTES:]
        kind = random.randrange(8)
        if kind < 2:
            return atheris.Mutate(data, most)
        changed = (target.mutate if kind < 7 else mutate_bytes)(file, random)
        return (head + changed)[:most]

    return mutate


if __name__ == "__main__":
    main()
