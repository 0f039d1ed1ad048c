"""Builds from fastText models: words of their dictionary, and words made of n-grams."""

from __future__ import annotations

import gzip
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from formats.errors import DataError, UsageError
from pipeline.verify import verify_dataset
from tests.formats.vectors.fasttext_models import Sample, expected_vector, sample
from tests.pipeline.built import Dataset, build_dataset

WORDS = [word.encode() for word in ("</s>", "the", "film", "Né", "영화", "unk", "rare")]
MODEL = sample(WORDS, bucket=11, minn=2, maxn=4)
TEXT = "the film né 영화를 films zz the q"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "corpus.txt").write_text(f"{TEXT}\n")
    (tmp_path / "model.bin").write_bytes(MODEL.data())
    return tmp_path


def build(folder: Path, vectors: list[str] | None = None, **flags: Any) -> Dataset:
    dataset = build_dataset(
        folder / "out",
        f"train={folder / 'corpus.txt'}",
        [str(folder / name) for name in vectors or ["model.bin"]],
        tokenizer="whitespace",
        **flags,
    )
    assert verify_dataset(str(dataset.output)) == []
    return dataset


def rows(dataset: Dataset) -> dict[str, list[float]]:
    return dict(zip(dataset.tokens, dataset.matrix.tolist(), strict=True))


def served(dataset: Dataset) -> dict[str, tuple[str, str]]:
    return {row["token"]: (row["source"], row["rule"]) for row in dataset.table if row["matched"]}


def near(word: str, model: Sample = MODEL) -> Any:
    return pytest.approx(expected_vector(model, word), abs=1e-6)


def test_words_of_the_dictionary_have_vectors_and_others_are_by_policy(folder: Path) -> None:
    dataset = build(folder)
    found = rows(dataset)
    assert set(served(dataset)) == {"the", "film"}
    assert found["the"] == near("the")
    assert found["film"] == near("film")
    assert not any(found["films"] + found["[PAD]"])
    # The model has a word that files call unknown words by.
    assert found["[UNK]"] == near("unk")
    [source] = dataset.manifest.inputs.vectors
    assert (source.format, source.rows, source.dim) == ("fastText skip-gram", 7, 3)
    assert dataset.manifest.embeddings.subword == 0


def test_subwords_make_the_rows_of_words_that_the_dictionary_lacks(folder: Path) -> None:
    dataset = build(folder, oov=["subword"])
    found = rows(dataset)
    for word in TEXT.split():
        assert found[word] == near(word)
    assert any(found["영화를"])
    assert not any(found["[PAD]"])
    # They are words without a vector still, as with any other policy.
    assert dataset.manifest.coverage.matched == 2
    assert dict(dataset.manifest.coverage.top_oov).keys() == {"né", "영화를", "films", "zz", "q"}
    assert dataset.manifest.embeddings.subword == 5


def test_a_word_without_rows_stays_zero(folder: Path) -> None:
    (folder / "model.bin").write_bytes(sample(WORDS, bucket=11, minn=5, maxn=6).data())
    dataset = build(folder, oov=["subword"])
    assert not any(rows(dataset)["q"])
    assert any(rows(dataset)["films"])
    assert dataset.manifest.embeddings.subword == 2


def test_forms_of_the_lookup_rules_are_looked_up_in_the_dictionary(folder: Path) -> None:
    dataset = build(folder, oov=["subword"], fallback=["exact", "title"])
    assert served(dataset)["né"] == ("model.bin", "title")
    assert rows(dataset)["né"] == near("Né")
    assert dataset.manifest.coverage.by_rule == {"exact": 2, "title": 1}


def test_a_word_that_only_other_rules_look_up_can_be_made_of_subwords(folder: Path) -> None:
    dataset = build(folder, oov=["subword"], fallback=["upper"])
    assert served(dataset) == {}
    # The dictionary knows this word, so its own row is a part of the vector.
    assert rows(dataset)["the"] == near("the")


def test_an_earlier_source_goes_before_and_a_later_one_before_subwords(folder: Path) -> None:
    (folder / "first.txt").write_text("film 1 1 1\nother 9 9 9\n")
    (folder / "last.txt").write_text("the 3 3 3\nfilms 2 2 2\n")
    dataset = build(folder, ["first.txt", "model.bin", "last.txt"], oov=["subword"])
    assert served(dataset) == {
        "film": ("first.txt", "exact"),
        "the": ("model.bin", "exact"),
        "films": ("last.txt", "exact"),
    }
    assert rows(dataset)["film"] == [1, 1, 1]
    assert rows(dataset)["films"] == [2, 2, 2]
    assert rows(dataset)["zz"] == near("zz")


def test_two_models_serve_their_own_words_and_the_first_makes_the_others(folder: Path) -> None:
    other = sample([b"films", b"film"], bucket=5, minn=3, maxn=3)
    (folder / "other.bin").write_bytes(other.data())
    dataset = build(folder, ["model.bin", "other.bin"], oov=["subword"])
    assert served(dataset)["films"] == ("other.bin", "exact")
    assert rows(dataset)["films"] == near("films", other)
    assert rows(dataset)["film"] == near("film")
    assert rows(dataset)["zz"] == near("zz")


def test_mean_and_normal_are_of_the_words_that_match(folder: Path) -> None:
    dataset = build(folder, oov=["mean"])
    mean = np.mean([expected_vector(MODEL, word) for word in ("the", "film")], axis=0)
    assert rows(dataset)["zz"] == pytest.approx(mean, abs=1e-6)


def test_the_first_tokens_of_a_model_can_enter_the_vocabulary(folder: Path) -> None:
    dataset = build(folder, vector_tokens=5)
    assert dataset.tokens[-3:] == ["</s>", "Né", "영화"]
    # fastText gives the end of a sentence no n-grams.
    assert rows(dataset)["</s>"] == MODEL.matrix[0].tolist()


def test_packed_and_cut_models_give_the_same_bytes(folder: Path) -> None:
    flags: dict[str, Any] = {"oov": ["subword"], "fallback": ["exact", "title", "hyphen"]}
    whole = build(folder, **flags).files()
    assert build(folder, range_bytes=24, **flags).files() == whole
    assert build(folder, beam=["--direct_num_workers=2"], range_bytes=40, **flags).files() == whole
    with gzip.open(folder / "model.bin.gz", "wb") as packed:
        packed.write(MODEL.data())
    shutil.make_archive(str(folder / "model"), "zip", folder, "model.bin")
    for name in ("model.bin.gz", "model.zip#model.bin"):
        again = build(folder, [name], **flags).files()
        # The vocabulary's table names the file.
        assert {k: v for k, v in again.items() if "parquet" not in k} == {
            k: v for k, v in whole.items() if "parquet" not in k
        }


def test_subwords_need_a_model(folder: Path) -> None:
    (folder / "vectors.txt").write_text("the 1 2 3\n")
    with pytest.raises(UsageError, match=r"--oov subword: needs a fastText model .*vectors.txt"):
        build(folder, ["vectors.txt"], oov=["subword"])


def test_a_model_without_ngrams_makes_nothing_and_says_so(folder: Path) -> None:
    (folder / "model.bin").write_bytes(sample(WORDS).data())
    dataset = build(folder, oov=["subword"])
    [warning] = dataset.manifest.warnings
    assert "the model was trained without character n-grams" in warning
    assert not any(rows(dataset)["zz"])
    assert any(rows(dataset)["the"])


def test_damage_of_the_matrix_fails_the_build_and_names_the_row(folder: Path) -> None:
    matrix = MODEL.matrix.copy()
    matrix[1, 2] = np.nan
    (folder / "model.bin").write_bytes(MODEL._replace(matrix=matrix).data())
    with pytest.raises(DataError, match=r"model\.bin: input matrix row 1, byte \d+: expected fin"):
        build(folder)
    assert not (folder / "out" / "manifest.json").exists()


@pytest.mark.parametrize(
    "name", ["crime-and-punishment.bin", "lee_fasttext_new.bin", "non_ascii_fasttext.bin"]
)
def test_rows_are_the_vectors_that_gensim_gives(
    name: str, gensim_data: Callable[[str], Path], tmp_path: Path
) -> None:
    from gensim.models.fasttext import load_facebook_vectors

    theirs = load_facebook_vectors(str(gensim_data(name)))
    known = [word for word in theirs.index_to_key if word != "</s>" and "\\x" not in word]
    unknown = ["영화를봤다고", "преступление", "naïveté", "😀", "internationalisation"]
    corpus = tmp_path / "corpus.txt"
    corpus.write_text("".join(f"{word} {other}\n" for word in known for other in unknown))
    dataset = build_dataset(
        tmp_path / "out",
        f"train={corpus}",
        gensim_data(name),
        tokenizer="whitespace",
        oov=["subword"],
        range_bytes=1 << 10,
    )
    found = rows(dataset)
    assert found.keys() - {"[PAD]", "[UNK]"} == {*known, *unknown}
    expected = np.stack([theirs[word] for word in found if word not in ("[PAD]", "[UNK]")])
    assert np.abs(dataset.matrix[2:] - expected).max() < 1e-6
    assert dataset.manifest.coverage.matched == len(set(known))


def test_rows_of_a_supervised_model_are_those_of_its_vec(
    gensim_data: Callable[[str], Path], tmp_path: Path
) -> None:
    matrices, tokens = [], []
    for name in ("pang_lee_polarity_fasttext.bin", "pang_lee_polarity_fasttext.vec"):
        dataset = build_dataset(
            tmp_path / name,
            gensim_data("pang_lee_polarity.cor"),
            gensim_data(name),
            corpus_format="fasttext",
            max_reject_fraction=(0.05, 0.0),
        )
        assert dataset.manifest.coverage.matched == 1341
        matrices.append(dataset.matrix)
        tokens.append(dataset.tokens)
    assert tokens[0] == tokens[1]
    # The text has five digits.
    assert matrices[0] == pytest.approx(matrices[1], rel=1e-4, abs=1e-5)
