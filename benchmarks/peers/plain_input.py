"""The shortest tf.data pipeline: ``LENGTH BATCH OUTPUT SHARD [...]``, shards packed with gzip."""

from __future__ import annotations

import json
import os
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import tensorflow as tf

from benchmarks.peers.batches import count_examples, write_digest


def main(length: str, batch: str, output: str, *shards: str) -> None:
    """Goes through all batches, prints the seconds that it took, and notes what was in them."""
    features = {
        "token_ids": tf.io.FixedLenFeature([int(length)], tf.int64),
        "label": tf.io.FixedLenFeature([], tf.int64),
    }

    def parse(records: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        parsed = tf.io.parse_example(records, features)
        return parsed["token_ids"], parsed["label"]

    started = time.perf_counter()
    batches = tf.data.TFRecordDataset(shards, compression_type="GZIP")
    batches = batches.batch(int(batch)).map(parse)
    examples = count_examples(batches)
    seconds = time.perf_counter() - started
    write_digest(batches, examples, output)
    print(json.dumps({"seconds": seconds}))


if __name__ == "__main__":
    main(*sys.argv[1:])
