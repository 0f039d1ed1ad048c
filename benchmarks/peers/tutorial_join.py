"""The loop of the tutorials: every vector of a GloVe text into a dict, then the wanted ones out.

As in Keras' "Using pre-trained word embeddings" of 2016 (blog.keras.io): ``VECTORS VOCABULARY
MATRIX.npy``.
"""

from __future__ import annotations

import json
import sys
import time

import numpy as np


def main(vectors: str, vocabulary: str, matrix: str) -> None:
    """Writes the matrix of a vocabulary, one row a token, and prints the seconds that it took."""
    started = time.perf_counter()
    with open(vocabulary, encoding="utf-8") as file:
        word_index = {line.rstrip("\n"): row for row, line in enumerate(file)}
    embeddings_index = {}
    with open(vectors, encoding="utf-8") as file:
        for line in file:
            values = line.split()
            embeddings_index[values[0]] = np.asarray(values[1:], dtype="float32")
    dim = len(next(iter(embeddings_index.values())))
    embedding_matrix = np.zeros((len(word_index), dim), np.float32)
    for word, row in word_index.items():
        embedding_vector = embeddings_index.get(word)
        if embedding_vector is not None:
            embedding_matrix[row] = embedding_vector
    np.save(matrix, embedding_matrix)
    print(json.dumps({"seconds": time.perf_counter() - started}))


if __name__ == "__main__":
    main(*sys.argv[1:])
