"""One tf.train.Example after the other: ``CORPUS VOCABULARY LENGTH OUTPUT``.

The texts are cut into tokens first, which is not timed. Then each token is looked up in a dict,
the ids are padded to the length, and the example is built, serialised and written as a TFRecord.
"""

from __future__ import annotations

import json
import os
import string
import sys
import time
from collections.abc import Iterable

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import tensorflow as tf

_PUNCTUATION = string.punctuation.replace("'", "")
_SPACES = str.maketrans(_PUNCTUATION, " " * len(_PUNCTUATION))
_PAD_ID, _UNK_ID = 0, 1


def main(corpus: str, vocabulary: str, length: str, output: str) -> None:
    """Writes train.tfrecord into a folder, and prints the seconds that it took."""
    with open(vocabulary, encoding="utf-8") as file:
        ids = {line.rstrip("\n"): number for number, line in enumerate(file)}
    with open(corpus, encoding="utf-8") as file:
        texts = [line.lower().translate(_SPACES).split() for line in file]
    os.makedirs(output, exist_ok=True)
    started = time.perf_counter()
    write(texts, ids, int(length), f"{output}/train.tfrecord")
    print(json.dumps({"seconds": time.perf_counter() - started}))


def write(texts: Iterable[list[str]], ids: dict[str, int], length: int, path: str) -> None:
    """Writes the examples of texts that were cut into tokens."""
    with tf.io.TFRecordWriter(path) as writer:
        for tokens in texts:
            kept = [ids.get(token, _UNK_ID) for token in tokens[:length]]
            padded = kept + [_PAD_ID] * (length - len(kept))
            features = {
                "token_ids": tf.train.Feature(int64_list=tf.train.Int64List(value=padded)),
                "length": tf.train.Feature(int64_list=tf.train.Int64List(value=[len(kept)])),
            }
            example = tf.train.Example(features=tf.train.Features(feature=features))
            writer.write(example.SerializeToString())


if __name__ == "__main__":
    main(*sys.argv[1:])
