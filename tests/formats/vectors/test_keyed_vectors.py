"""gensim's own files: its KeyedVectors and models, and pickles that are none of them."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gensim.models import Doc2Vec, FastText, KeyedVectors, Word2Vec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from formats.errors import DataError, UsageError
from formats.vectors.keyed_vectors import (
    KeyedLayout,
    find_keyed_vectors,
    is_pickle,
    read_keyed_vectors,
)
from tests.formats.vectors.table_files import ODD_TOKENS, Back, read_back

SENTENCES = [["the", "film", "a b", "\x85", "\u3000"], ["the", "film", "dull"]] * 5


def keyed(tokens: list[str], vectors: Any) -> KeyedVectors:
    made = KeyedVectors(vectors.shape[1], dtype=vectors.dtype)
    made.add_vectors(tokens, vectors)
    return made


def read(path: Path, block_bytes: int = 1 << 20) -> Back:
    layout = find_keyed_vectors(str(path), str(path))
    return read_back(read_keyed_vectors(str(path), layout, block_bytes))


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    values=arrays.arrays(
        st.sampled_from([np.float16, np.float32, np.float64]),
        st.tuples(st.integers(1, 9), st.integers(1, 4)),
    ),
    block_bytes=st.integers(1, 100),
    apart=st.booleans(),
    data=st.data(),
)
def test_any_keyed_vectors_are_read_back(
    tmp_path: Path, values: Any, block_bytes: int, apart: bool, data: st.DataObject
) -> None:
    odd = [token.decode() for token in ODD_TOKENS if token.isascii() or token[0] in (0xC2, 0xE2)]
    some = st.one_of(st.text(max_size=4), st.sampled_from(odd))
    tokens = data.draw(st.lists(some, min_size=len(values), max_size=len(values), unique=True))
    path = tmp_path / "vectors.kv"
    keyed(tokens, values).save(str(path), sep_limit=0 if apart else 1 << 20)
    assert is_pickle(path.read_bytes())
    assert (tmp_path / "vectors.kv.vectors.npy").exists() <= apart
    back = read(path, block_bytes)
    assert back.tokens == [token.encode("utf-8", "surrogatepass") for token in tokens]
    with np.errstate(over="ignore", invalid="ignore"):
        assert back.vectors == values.astype(np.float32).tobytes()
    for file in tmp_path.iterdir():
        file.unlink()


@pytest.mark.parametrize("model", [Word2Vec, FastText])
@pytest.mark.parametrize("sep_limit", [0, 1 << 20])
def test_the_vectors_of_a_model_are_taken(model: Any, sep_limit: int, tmp_path: Path) -> None:
    trained = model(SENTENCES, vector_size=5, min_count=1, seed=1, workers=1)
    trained.save(str(tmp_path / "model"), sep_limit=sep_limit)
    layout = find_keyed_vectors(str(tmp_path / "model"), "model")
    assert layout == KeyedLayout("gensim KeyedVectors", 6, 5)
    assert layout.kind == "keyed"
    back = read(tmp_path / "model", 40)
    assert back.tokens == [token.encode() for token in trained.wv.index_to_key]
    assert back.vectors == trained.wv.vectors.tobytes()


def test_a_model_of_documents_gives_its_word_vectors(tmp_path: Path) -> None:
    from gensim.models.doc2vec import TaggedDocument

    documents = [TaggedDocument(words, [number]) for number, words in enumerate(SENTENCES)]
    trained = Doc2Vec(documents, vector_size=5, min_count=1, seed=1, workers=1)
    trained.save(str(tmp_path / "model"))
    assert read(tmp_path / "model").vectors == trained.wv.vectors.tobytes()
    trained.dv.save(str(tmp_path / "documents"))
    with pytest.raises(DataError, match=r"index_to_key: expected tokens, as strings, found 0"):
        read(tmp_path / "documents")


@pytest.mark.parametrize(
    ("name", "load"),
    [
        ("old_keyedvectors_320.dat", KeyedVectors.load),
        ("model-from-gensim-3.8.0.w2v", lambda path: Word2Vec.load(path).wv),
        ("compatible-hash-true.model", lambda path: FastText.load(path).wv),
    ],
)
def test_files_of_older_versions_that_gensim_carries_are_read(
    name: str, load: Any, gensim_data: Any
) -> None:
    path = gensim_data(name)
    expected = load(str(path))
    back = read(path)
    assert back.tokens == [token.encode() for token in expected.index_to_key]
    assert back.vectors == expected.vectors.tobytes()


def failure(path: Path) -> str:
    with pytest.raises(DataError) as caught:
        find_keyed_vectors(str(path), "spec")
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert message.endswith("write it with gensim's save_word2vec_format instead")
    return message


def test_a_pickle_of_something_else_is_named(tmp_path: Path) -> None:
    path = tmp_path / "pickle"
    path.write_bytes(pickle.dumps({"the": [0.1]}))
    assert "can't be loaded as gensim saved it: AttributeError" in failure(path)
    from gensim.corpora import Dictionary

    Dictionary(SENTENCES).save(str(path))
    assert "expected KeyedVectors, or a model that has some as wv, found a pickle of Dict" in (
        failure(path)
    )


def test_a_pickle_cut_anywhere_is_damage(tmp_path: Path) -> None:
    path = tmp_path / "vectors.kv"
    keyed(["a", "b"], np.ones((2, 3), np.float32)).save(str(path))
    whole = path.read_bytes()
    for size in range(2, len(whole), 29):
        path.write_bytes(whole[:size])
        assert "can't be loaded as gensim saved it" in failure(path)


def test_a_missing_file_of_vectors_is_named(tmp_path: Path) -> None:
    keyed(["a", "b"], np.ones((2, 3), np.float32)).save(str(tmp_path / "v.kv"), sep_limit=0)
    (tmp_path / "v.kv.vectors.npy").unlink()
    assert "FileNotFoundError" in failure(tmp_path / "v.kv")


@pytest.mark.parametrize(
    ("vectors", "tokens", "says"),
    [
        (np.ones((3, 2), np.float32), 2, "2 tokens, float32 of the shape (3, 2)"),
        (np.ones((2, 2), int), 2, "2 tokens, int64 of the shape (2, 2)"),
        (np.ones((2, 0), np.float32), 2, "2 tokens, float32 of the shape (2, 0)"),
        (np.ones(2, np.float32), 2, "2 tokens, float32 of the shape (2,)"),
    ],
)
def test_vectors_that_do_not_fit_the_tokens_are_named(
    vectors: Any, tokens: int, says: str, tmp_path: Path
) -> None:
    made = keyed(["a", "b"][:tokens], np.ones((tokens, 2), np.float32))
    made.vectors = vectors
    made.save(str(tmp_path / "v.kv"))
    assert f"vectors: expected a row of floats for each token, and one or more, found {says}" in (
        failure(tmp_path / "v.kv")
    )


def test_a_remote_file_is_refused_before_it_is_loaded() -> None:
    with pytest.raises(
        UsageError, match=r"--vectors gs://b/v\.kv: gensim's files can be read from"
    ):
        find_keyed_vectors("gs://b/v.kv", "gs://b/v.kv")
