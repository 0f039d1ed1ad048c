"""The trainer's own input, which is no peer but needs TensorFlow too: ``DATASET BATCH OUTPUT``."""

from __future__ import annotations

import json
import os
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

# The trainer imports it when it is first needed, and that is not to be timed.
import tensorflow  # noqa: F401

from benchmarks.peers.batches import count_examples, write_digest
from trainer.data import open_dataset, read_examples


def main(dataset: str, batch: str, output: str) -> None:
    """Goes through all batches, prints the seconds that it took, and notes what was in them."""
    started = time.perf_counter()
    batches = read_examples(open_dataset(dataset), "train", int(batch))
    examples = count_examples(batches)
    seconds = time.perf_counter() - started
    write_digest(batches, examples, output)
    print(json.dumps({"seconds": seconds}))


if __name__ == "__main__":
    main(*sys.argv[1:])
