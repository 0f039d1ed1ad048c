"""The published matrix as the weights of an ``Embedding`` layer, held in memory once."""

from __future__ import annotations

import io

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from formats.dataset.embedding_matrix import NPY, read_shard
from formats.errors import DataError, damaged
from trainer.data import Dataset, is_local, open_file

_ALIGNMENT_BYTES = 64


def build_embedding(mode: str, dataset: Dataset) -> layers.Embedding:
    """Builds the layer that looks token ids up.

    Args:
        mode: frozen (the published vectors), finetune (they are where training starts) or
            scratch (Keras' own initial weights, of the same shape).
        dataset: the matrix is read from it, except for scratch.

    Raises:
        DataError: the shards are not what the manifest says.
    """
    rows, dim = dataset.manifest.embeddings.rows, dataset.manifest.embeddings.dim
    layer = layers.Embedding(rows, dim, mask_zero=True, name="embedding")
    if mode == "scratch":
        layer.build()
        return layer
    # Assigning slices to a variable makes TensorFlow copy it whole in every later step (it goes
    # into its "copy on read" mode). So the matrix is put together first, and the variable takes
    # its memory over.
    matrix = tf.experimental.dlpack.from_dlpack(_read_matrix(dataset).__dlpack__())
    layer.embeddings_initializer = lambda shape, dtype: matrix
    layer.build()
    # What the saved file's config says; the vectors themselves are among its weights.
    layer.embeddings_initializer = keras.initializers.Zeros()
    layer.trainable = mode == "finetune"
    return layer


def _read_matrix(dataset: Dataset) -> np.ndarray:
    """Reads the shards one at a time into float32 [rows, dim], aligned as TensorFlow needs it."""
    embeddings = dataset.manifest.embeddings
    bytes_ = embeddings.rows * embeddings.dim * np.dtype(np.float32).itemsize
    memory = np.empty(bytes_ + _ALIGNMENT_BYTES, dtype=np.uint8)
    start = -memory.ctypes.data % _ALIGNMENT_BYTES
    matrix = memory[start : start + bytes_].view(np.float32).reshape(-1, embeddings.dim)
    for shard in embeddings.shards:
        path = dataset.path(shard.path)
        vectors = _open_shard(path, embeddings.format)
        expected, found = (shard.rows, embeddings.dim), vectors.shape
        if found != expected or vectors.dtype.name != embeddings.dtype:
            raise damaged(
                path,
                "shape and dtype",
                expected=f"{expected} {embeddings.dtype}",
                found=f"{found} {vectors.dtype.name}",
                remedy="build the dataset again",
            )
        matrix[shard.first_row : shard.first_row + shard.rows] = vectors
    return matrix


def _open_shard(path: str, format_: str) -> np.ndarray:
    """Maps a shard into memory where the file permits it, or else reads it."""
    if format_ == NPY and is_local(path):
        try:
            return np.load(path, mmap_mode="r", allow_pickle=False)
        except (ValueError, EOFError) as error:
            raise DataError(f"{path}: {error}; build the dataset again") from error
    with open_file(path) as file:
        return read_shard(io.BytesIO(file.read()), format_, path)
