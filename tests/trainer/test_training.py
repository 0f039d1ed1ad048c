from __future__ import annotations

import csv
import functools
import json
import os
import zipfile

import keras
import numpy as np
import pytest

from tests.trainer.published import DIM, ROWS, arguments, matrix, publish
from trainer.data import open_dataset, read_examples
from trainer.main import EMBEDDING_MODES, MODEL_NAMES, main

every_model = pytest.mark.parametrize("model", MODEL_NAMES)
every_embedding = pytest.mark.parametrize("embedding", EMBEDDING_MODES)


def metrics_of(output):
    return json.loads((output / "metrics.json").read_text())


def history_of(output):
    with open(output / "history.csv", newline="") as file:
        return list(csv.DictReader(file))


@functools.cache
def model_of(output):
    return keras.saving.load_model(output / "model.keras")


def vectors_of(output):
    return model_of(output).get_layer("embedding").get_weights()[0]


@every_embedding
@every_model
def test_every_model_with_every_embedding_leaves_its_files(trained, model, embedding):
    output = trained(model, embedding)
    assert sorted(os.listdir(output)) == [
        "history.csv",
        "learning_curve.png",
        "metrics.json",
        "model.keras",
    ]
    assert (output / "learning_curve.png").read_bytes().startswith(b"\x89PNG\r\n")
    [epoch] = history_of(output)
    assert list(epoch) == ["epoch", "accuracy", "loss", "val_accuracy", "val_loss"]
    metrics = metrics_of(output)
    assert (metrics["model"], metrics["embedding"]) == (model, embedding)
    assert metrics["epochs"] == metrics["best_epoch"] == 1
    frozen = metrics["parameters"] - metrics["trainable_parameters"]
    assert frozen == (ROWS * DIM if embedding == "frozen" else 0)


@every_model
def test_saved_model_loads_as_it_is_and_scores_the_same(trained, binary, model):
    output = trained(model, "finetune")
    loaded = model_of(output)
    metrics = metrics_of(output)
    examples = read_examples(open_dataset(str(binary)), "test", 32)
    scores = loaded.evaluate(examples, verbose=0, return_dict=True)
    assert scores["accuracy"] == metrics["test_accuracy"]
    assert scores["loss"] == pytest.approx(metrics["test_loss"], rel=1e-6)


@every_embedding
def test_saved_config_holds_no_vectors(trained, embedding):
    with zipfile.ZipFile(trained("average", embedding) / "model.keras") as file:
        config = json.loads(file.read("config.json"))
    [layer] = [each for each in config["config"]["layers"] if each["name"] == "embedding"]
    assert "weights" not in layer["config"]
    initializer = layer["config"]["embeddings_initializer"]
    assert initializer["class_name"] == ("RandomUniform" if embedding == "scratch" else "Zeros")
    assert len(json.dumps(layer)) < 1000


@every_model
def test_frozen_vectors_are_the_published_ones(trained, model):
    np.testing.assert_array_equal(vectors_of(trained(model, "frozen")), matrix())


@every_model
def test_finetuning_changes_vectors_but_not_the_row_of_padding(trained, model):
    vectors = vectors_of(trained(model, "finetune"))
    moved = np.abs(vectors - matrix()).max(axis=1)
    assert moved[0] == 0
    assert 0 < moved[2:].max() < 0.1


def test_scratch_knows_nothing_of_the_published_vectors(trained):
    vectors = vectors_of(trained("average", "scratch"))
    assert vectors.shape == (ROWS, DIM)
    assert np.abs(vectors).max() < 0.1


@every_model
def test_classes_that_words_tell_are_learnt(binary, three_classes, tmp_path, model):
    data = three_classes if model in ("average", "lstm") else binary
    flags = {"model": model, "embedding": "finetune", "learning_rate": 0.03, "epochs": 6}
    assert main(arguments(data, tmp_path, **flags)) == 0
    metrics = metrics_of(tmp_path)
    assert metrics["test_accuracy"] > 0.9
    assert metrics["validation_accuracy"] > 0.9


def test_training_stops_early_and_keeps_the_best_weights(binary, tmp_path):
    # Steps this wide soon make things worse.
    flags = {"embedding": "finetune", "learning_rate": 3, "epochs": 40, "patience": 2}
    assert main(arguments(binary, tmp_path, **flags)) == 0
    metrics, losses = metrics_of(tmp_path), [float(row["val_loss"]) for row in history_of(tmp_path)]
    assert metrics["epochs"] == len(losses) == metrics["best_epoch"] + 2 < 40
    assert metrics["validation_loss"] == pytest.approx(min(losses), rel=1e-5)
    assert losses[-1] > min(losses)


def test_same_seed_gives_the_same_training(binary, tmp_path):
    runs = {}
    for name, seed in (("one", 1), ("again", 1), ("other", 2)):
        flags = {"model": "flatten", "embedding": "finetune", "seed": seed}
        assert main(arguments(binary, tmp_path / name, **flags)) == 0
        runs[name] = (history_of(tmp_path / name), vectors_of(tmp_path / name).tobytes())
    assert runs["one"] == runs["again"]
    assert runs["one"] != runs["other"]


@pytest.mark.parametrize(
    "splits", [{"train": 60}, {"train": 60, "validation": 0, "test": 0}], ids=["absent", "empty"]
)
def test_without_validation_all_epochs_run_and_its_scores_are_null(splits, tmp_path, capsys):
    data = publish(tmp_path / "data", splits=splits)
    assert main(arguments(data, tmp_path / "out", epochs=2, patience=0)) == 0
    metrics = metrics_of(tmp_path / "out")
    assert metrics["epochs"] == metrics["best_epoch"] == 2
    for score in ("accuracy", "loss"):
        assert metrics[f"validation_{score}"] is None
        assert metrics[f"test_{score}"] is None
    assert "without early stopping" in capsys.readouterr().out


def test_float16_parquet_shards_and_three_classes_are_trained_from(three_classes, tmp_path):
    assert main(arguments(three_classes, tmp_path, batch_size=50, learning_rate=0.5)) == 0
    vectors = vectors_of(tmp_path)
    assert vectors.dtype == np.float32
    np.testing.assert_array_equal(vectors, matrix("float16").astype(np.float32))
    metrics = metrics_of(tmp_path)
    assert metrics["run_id"] == "r1"
    assert metrics["labels"] == ["class0", "class1", "class2"]
    assert (metrics["batch_size"], metrics["learning_rate"], metrics["seed"]) == (50, 0.5, 0)
    assert metrics["parameters"] == ROWS * DIM + (DIM + 1) * 3
    assert metrics["trainable_parameters"] == (DIM + 1) * 3


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_safetensors_shards_are_trained_from(dtype, tmp_path):
    data = publish(tmp_path / "data", dtype=dtype, matrix_format="safetensors")
    assert main(arguments(data, tmp_path / "out")) == 0
    np.testing.assert_array_equal(vectors_of(tmp_path / "out"), matrix(dtype).astype("f4"))


def test_dataset_may_be_a_uri(binary, tmp_path):
    assert main(arguments(binary.as_uri(), tmp_path)) == 0
    np.testing.assert_array_equal(vectors_of(tmp_path), matrix())


def test_shuffled_examples_are_all_of_them_in_another_order_every_epoch(binary):
    dataset = open_dataset(str(binary))

    def rows(**order):
        batches = read_examples(dataset, "train", 50, **order)
        assert batches.cardinality() == 5
        return lambda: [row.tobytes() for ids, _ in batches.as_numpy_iterator() for row in ids]

    in_order, shuffled = rows(), rows(shuffle_seed=1)
    first, second = shuffled(), shuffled()
    assert in_order() == in_order()
    assert first != second
    assert sorted(first) == sorted(second) == sorted(in_order())
