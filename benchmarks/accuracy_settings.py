"""What the accuracy study tries: every setting of every experiment."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

SIZES = ("500", "2000", "all")
MODELS = ("average", "cnn")
EMBEDDINGS = ("scratch", "frozen", "finetune")
ALL_VECTOR_TOKENS = "45225"
GLOVE = "imdb.glove.100d.txt.gz"
CASED = "imdb-cased.word2vec.50d.bin.gz"
RULES = "exact,lower,title,upper,strip_accents,digits,hyphen"

LEARNING_RATES = {"cnn": ("0.0003", "0.001", "0.003"), "average": ("0.001", "0.003", "0.01")}
# Of these, those with the least validation loss at 500 sentences, mean of the seeds.
CHOSEN_RATES = {
    ("average", "scratch"): "0.003",
    ("average", "frozen"): "0.01",
    ("average", "finetune"): "0.01",
    ("cnn", "scratch"): "0.001",
    ("cnn", "frozen"): "0.003",
    ("cnn", "finetune"): "0.001",
}


@dataclass(frozen=True)
class DataSetting:
    """A dataset: how much of the corpus is trained on, and flags of ``embprep build``."""

    sentences: str = "500"
    vectors: str = "imdb.word2vec.100d.bin.gz"
    vector_tokens: str = "0"
    vocabulary_splits: str = "train"
    fallback: str = "exact"


@dataclass(frozen=True)
class Setting:
    """A dataset, and flags of the trainer."""

    data: DataSetting
    model: str
    embedding: str
    learning_rate: str
    epochs: str = "100"
    patience: str = "5"


# A setting and the seed of its sentences, initial weights and order.
Run = tuple[Setting, int]


def columns_of(run: Run) -> dict[str, str]:
    """Gives what tells a run from all others, by column: the flags, and the seed."""
    setting, seed = run
    trainer = dataclasses.asdict(setting)
    data: dict[str, str] = trainer.pop("data")
    return data | trainer | {"seed": str(seed)}


def _runs(settings: Sequence[Setting], seeds: int = 5) -> list[Run]:
    return [(setting, seed) for seed in range(seeds) for setting in settings]


def _chosen(data: DataSetting, model: str, embedding: str = "frozen") -> Setting:
    return Setting(data, model, embedding, CHOSEN_RATES[model, embedding])


def _best_data(embedding: str, sentences: str = "500") -> DataSetting:
    """Gives the dataset with the vectors of all words, where there are vectors."""
    number = "0" if embedding == "scratch" else ALL_VECTOR_TOKENS
    return DataSetting(sentences, vector_tokens=number)


def _learning_rate() -> list[Setting]:
    return [
        Setting(_best_data(embedding), model, embedding, rate)
        for model, rates in LEARNING_RATES.items()
        for embedding, rate in product(EMBEDDINGS, rates)
    ]


def _main() -> list[Setting]:
    return [
        _chosen(_best_data(embedding, size), model, embedding)
        for size, model, embedding in product(SIZES, MODELS, EMBEDDINGS)
    ]


def _vocabulary() -> list[Setting]:
    rules = (
        DataSetting(),
        DataSetting(vector_tokens="20000"),
        DataSetting(vector_tokens=ALL_VECTOR_TOKENS),
        DataSetting(vocabulary_splits="train,validation,test"),
    )
    frozen = [_chosen(data, model) for data, model in product(rules, MODELS)]
    larger = [
        _chosen(DataSetting(size, vector_tokens=number), model)
        for size, number, model in product(("2000", "all"), ("0", ALL_VECTOR_TOKENS), MODELS)
    ]
    finetuned = [
        _chosen(data, model, "finetune") for data, model in product((rules[0], rules[2]), MODELS)
    ]
    return frozen + larger + finetuned


def _glove() -> list[Setting]:
    return [
        _chosen(DataSetting(size, GLOVE, ALL_VECTOR_TOKENS), model)
        for size, model in product(SIZES, MODELS)
    ]


def _fallback() -> list[Setting]:
    return [
        _chosen(DataSetting(size, CASED, fallback=rules), "average")
        for size, rules in product(("500", "all"), ("exact", RULES))
    ]


def _defaults() -> list[Setting]:
    """No flag given but the model and the embedding."""
    return [
        Setting(DataSetting(), model, embedding, "0.001", "10", "3")
        for model, embedding in product(MODELS, EMBEDDINGS)
    ]


# The order is that of importance, since all of it takes hours on a busy machine.
EXPERIMENTS = {
    "learning_rate": _runs(_learning_rate(), seeds=2),
    "main": _runs(_main()),
    "vocabulary": _runs(_vocabulary()),
    "fallback": _runs(_fallback()),
    "defaults": _runs(_defaults()),
    "glove": _runs(_glove()),
}
