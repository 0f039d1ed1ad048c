"""The four classifiers: token ids [batch, length] to the probabilities of the classes.

Padding (token id 0) never counts, whatever the row of the matrix that stands for it holds.
"""

from __future__ import annotations

from collections.abc import Callable

import keras
from keras import KerasTensor, layers, ops

from formats.dataset.vocabulary import PAD_ID

_LSTM_UNITS = 128

# Kim (2014), "Convolutional Neural Networks for Sentence Classification", section 3.1.
_KIM_WIDTHS = (3, 4, 5)
_KIM_MAPS = 100
_KIM_DROPOUT = 0.5
_KIM_MAX_NORM = 3


def build_model(
    name: str, embedding: layers.Embedding, *, max_length: int, classes: int, learning_rate: float
) -> keras.Model:
    """Builds and compiles a classifier.

    Args:
        name: a key of ``MODELS``.
        embedding: the layer that turns ids into vectors, made with ``mask_zero``.
        max_length: token ids of an example. Only ``flatten`` is tied to it.
        classes: 2 give one sigmoid unit, the probability of the second class; more give a
            softmax.
        learning_rate: of Adam.
    """
    length = max_length if name == "flatten" else None
    token_ids = keras.Input((length,), dtype="int32", name="token_ids")
    binary = classes == 2
    outputs = layers.Dense(
        1 if binary else classes,
        activation="sigmoid" if binary else "softmax",
        kernel_constraint=keras.constraints.MaxNorm(_KIM_MAX_NORM) if name == "cnn" else None,
        name="probabilities",
    )(MODELS[name](token_ids, embedding))
    model = keras.Model(token_ids, outputs, name=name)
    model.compile(
        optimizer=keras.optimizers.Adam(learning_rate),
        loss="binary_crossentropy" if binary else "sparse_categorical_crossentropy",
        metrics=["accuracy"],
    )
    return model


def _average(token_ids: KerasTensor, embedding: layers.Embedding) -> KerasTensor:
    # Not GlobalAveragePooling1D: it gives NaN for an example that is all padding, and one NaN
    # spoils every weight. `maximum` makes that example a zero vector.
    words = ops.sum(_present(token_ids), axis=1)
    return ops.sum(_unpadded(token_ids, embedding), axis=1) / ops.maximum(words, 1)


def _flatten(token_ids: KerasTensor, embedding: layers.Embedding) -> KerasTensor:
    return layers.Flatten()(_unpadded(token_ids, embedding))


def _cnn(token_ids: KerasTensor, embedding: layers.Embedding) -> KerasTensor:
    # Zeros on both sides, as in Kim's own code: a word at the edge is seen by every position of
    # a filter, and a text may be shorter than the widest one.
    vectors = layers.ZeroPadding1D(max(_KIM_WIDTHS) - 1)(_unpadded(token_ids, embedding))
    maps = [layers.Conv1D(_KIM_MAPS, width, activation="relu")(vectors) for width in _KIM_WIDTHS]
    pooled = layers.Concatenate()([layers.GlobalMaxPooling1D()(each) for each in maps])
    return layers.Dropout(_KIM_DROPOUT)(pooled)


def _lstm(token_ids: KerasTensor, embedding: layers.Embedding) -> KerasTensor:
    # cuDNN's kernel refuses padding in front, and examples that are all padding.
    return layers.LSTM(_LSTM_UNITS, use_cudnn=False)(embedding(token_ids))


def _present(token_ids: KerasTensor) -> KerasTensor:
    """Gives 1.0 for a token and 0.0 for padding, [batch, length, 1]."""
    return ops.expand_dims(ops.cast(ops.not_equal(token_ids, PAD_ID), "float32"), -1)


def _unpadded(token_ids: KerasTensor, embedding: layers.Embedding) -> KerasTensor:
    """Gives the vectors [batch, length, dim], zero for padding, with no gradient to its row."""
    return embedding(token_ids) * _present(token_ids)


MODELS: dict[str, Callable[[KerasTensor, layers.Embedding], KerasTensor]] = {
    "average": _average,
    "flatten": _flatten,
    "cnn": _cnn,
    "lstm": _lstm,
}
