"""Keras' TextVectorization, and one tf.train.Example a line: ``CORPUS MAX_TOKENS LENGTH OUTPUT``.

The corpus is read twice, as there: once to adapt, once to encode. The examples have the features
that embprep's have.
"""

from __future__ import annotations

import json
import os
import sys
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import keras
import numpy as np
import tensorflow as tf

_BATCH = 1024


def main(corpus: str, max_tokens: str, length: str, output: str) -> None:
    """Writes vocabulary.txt and train.tfrecord.gz into a folder, and prints the seconds."""
    started = time.perf_counter()
    vectorize = keras.layers.TextVectorization(
        max_tokens=int(max_tokens), output_sequence_length=int(length)
    )
    lines = tf.data.TextLineDataset(corpus).batch(_BATCH)
    vectorize.adapt(lines)
    os.makedirs(output, exist_ok=True)
    with open(f"{output}/vocabulary.txt", "w", encoding="utf-8") as file:
        file.write("".join(f"{token}\n" for token in vectorize.get_vocabulary()))
    options = tf.io.TFRecordOptions(compression_type="GZIP")
    with tf.io.TFRecordWriter(f"{output}/train.tfrecord.gz", options) as writer:
        for batch in lines:
            for ids in vectorize(batch).numpy():
                writer.write(serialized(ids))
    print(json.dumps({"seconds": time.perf_counter() - started}))


def serialized(token_ids: np.ndarray) -> bytes:
    """The example of one text."""
    features = {
        "token_ids": tf.train.Feature(int64_list=tf.train.Int64List(value=token_ids)),
        "length": tf.train.Feature(
            int64_list=tf.train.Int64List(value=[np.count_nonzero(token_ids)])
        ),
    }
    example = tf.train.Example(features=tf.train.Features(feature=features))
    return bytes(example.SerializeToString())


if __name__ == "__main__":
    main(*sys.argv[1:])
