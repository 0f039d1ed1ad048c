"""Puts the matrix of a dataset into a Keras model of one's own, and shows nearest words.

Run it as ``python examples/embedding_layer.py output/local good``.
"""

from __future__ import annotations

import sys
from pathlib import Path

import keras
import numpy as np

from formats.dataset.manifest import parse_manifest
from formats.dataset.vocabulary import read_vocabulary_text


def main(output: str, word: str) -> None:
    """Loads the matrix of the dataset in ``output`` and prints the words nearest to one."""
    directory = Path(output)
    manifest = parse_manifest((directory / "manifest.json").read_bytes(), output)
    path = directory / manifest.vocabulary.path
    tokens = read_vocabulary_text(path.read_bytes(), str(path)).to_pylist()

    embeddings = manifest.embeddings
    layer = keras.layers.Embedding(embeddings.rows, embeddings.dim, trainable=False)
    layer.build()
    shards = [np.load(directory / shard.path, mmap_mode="r") for shard in embeddings.shards]
    layer.embeddings.assign(np.concatenate(shards))

    matrix = keras.ops.convert_to_numpy(layer.embeddings)
    lengths = np.linalg.norm(matrix, axis=1) + 1e-9
    row = tokens.index(word)
    likeness = matrix @ matrix[row] / lengths / lengths[row]
    for other in np.argsort(-likeness)[1:11]:
        print(f"{likeness[other]:.3f}  {tokens[other]}")


if __name__ == "__main__":
    main(*sys.argv[1:])
