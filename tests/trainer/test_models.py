from __future__ import annotations

import keras
import numpy as np
import pytest

from tests.trainer.published import DIM, ROWS
from trainer.main import MODEL_NAMES
from trainer.models import MODELS, build_model

LENGTH = 6
IDS = np.array([[5, 9, 3, 0, 0, 0], [7, 0, 0, 0, 0, 0], [4, 8, 15, 16, 23, 40]], np.int32)


def model_and_embedding(name: str, *, classes: int = 2, length: int = LENGTH) -> tuple:
    """A model whose row for padding is anything but zero."""
    keras.utils.set_random_seed(3)
    embedding = keras.layers.Embedding(ROWS, DIM, "ones", mask_zero=True)
    model = build_model(name, embedding, max_length=length, classes=classes, learning_rate=0.01)
    embedding.set_weights([np.random.default_rng(0).normal(size=(ROWS, DIM))])
    return model, embedding


def test_command_line_offers_every_model():
    assert tuple(MODELS) == MODEL_NAMES


@pytest.mark.parametrize("name", ["average", "lstm"])
@pytest.mark.parametrize("sides", [(0, 5), (5, 0)], ids=["post", "pre"])
def test_more_padding_does_not_change_predictions(name, sides):
    model, _ = model_and_embedding(name)
    longer = np.pad(IDS[:, :3], ((0, 0), sides))
    short = model.predict(IDS[:, :3], verbose=0)
    np.testing.assert_allclose(model.predict(longer, verbose=0), short, atol=1e-6)


@pytest.mark.parametrize("name", MODELS)
def test_row_of_padding_has_no_effect_and_no_gradient(name):
    model, embedding = model_and_embedding(name)
    before = model.predict(IDS, verbose=0)
    weights = embedding.get_weights()[0]
    weights[0] = 100
    embedding.set_weights([weights])
    np.testing.assert_array_equal(model.predict(IDS, verbose=0), before)
    model.fit(IDS, np.array([0, 1, 1]), verbose=0)
    trained = embedding.get_weights()[0]
    np.testing.assert_array_equal(trained[0], weights[0])
    assert not np.array_equal(trained[1:], weights[1:])


@pytest.mark.parametrize("name", MODELS)
def test_example_without_tokens_trains_and_predicts_finite_numbers(name):
    model, _ = model_and_embedding(name, classes=3)
    empty = np.zeros((2, LENGTH), np.int32)
    model.fit(empty, np.array([0, 2]), verbose=0)
    assert np.isfinite(model.predict(empty, verbose=0)).all()


@pytest.mark.parametrize("length", [1, 4])
def test_texts_may_be_shorter_than_the_widest_filter(length):
    model, _ = model_and_embedding("cnn", length=length)
    assert model.predict(IDS[:, :length], verbose=0).shape == (3, 1)


@pytest.mark.parametrize(
    ("classes", "shape", "activation"), [(2, (3, 1), "sigmoid"), (4, (3, 4), "softmax")]
)
def test_two_classes_give_one_probability_and_more_give_one_each(classes, shape, activation):
    model, _ = model_and_embedding("average", classes=classes)
    assert model.predict(IDS, verbose=0).shape == shape
    assert model.layers[-1].activation.__name__ == activation


def test_cnn_is_kims():
    model, _ = model_and_embedding("cnn")
    convolutions = [each for each in model.layers if isinstance(each, keras.layers.Conv1D)]
    assert [each.kernel_size for each in convolutions] == [(3,), (4,), (5,)]
    assert [each.filters for each in convolutions] == [100, 100, 100]
    assert {each.activation.__name__ for each in convolutions} == {"relu"}
    [dropout] = [each for each in model.layers if isinstance(each, keras.layers.Dropout)]
    assert dropout.rate == 0.5
