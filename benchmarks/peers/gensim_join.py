"""gensim: all of a vector file into memory, then the wanted vectors out of it.

``VECTORS VOCABULARY MATRIX.npy``; a name with ``.bin`` in it is a word2vec binary, any other a
GloVe text.
"""

from __future__ import annotations

import sys

import numpy as np
from gensim.models import KeyedVectors


def main(vectors: str, vocabulary: str, matrix: str) -> None:
    """Writes the matrix of a vocabulary, one row a token."""
    binary = ".bin" in vectors
    keyed = KeyedVectors.load_word2vec_format(vectors, binary=binary, no_header=not binary)
    with open(vocabulary, encoding="utf-8") as file:
        tokens = file.read().splitlines()
    embedding_matrix = np.zeros((len(tokens), keyed.vector_size), np.float32)
    for row, token in enumerate(tokens):
        if token in keyed:
            embedding_matrix[row] = keyed[token]
    np.save(matrix, embedding_matrix)


if __name__ == "__main__":
    main(*sys.argv[1:])
