"""fastText models give the vectors that fastText and gensim give, however they are read."""

from __future__ import annotations

import gzip
import io
import itertools
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import gensim
import numpy as np
import pytest
from gensim.models.fasttext import load_facebook_vectors, save_facebook_model
from hypothesis import given
from hypothesis import strategies as st
from isal import igzip

from formats.errors import DataError
from formats.vectors.fasttext_bin import (
    SUPERVISED,
    cut_rows,
    is_fasttext_model,
    read_dictionary,
    read_head,
    read_words,
)
from formats.vectors.subwords import add_rows, mean_vectors, new_sums, plan_rows
from tests.formats.vectors.fasttext_models import (
    SMALL,
    WORDS,
    OneWay,
    Sample,
    expected_vector,
    fnv1a,
    read_model,
    read_vectors,
    sample,
    vec_rows,
)
from tests.formats.vectors.vector_files import ShortReads

GENSIM_MODELS = [
    "crime-and-punishment.bin",
    "lee_fasttext.bin",
    "lee_fasttext_new.bin",
    "non_ascii_fasttext.bin",
    "toy-model-pretrained.bin",
    "toy-model.bin",
]
UNKNOWN_WORDS = [
    "영화를봤다고",
    "привет",
    "naïveté",
    "😀",
    "👩‍👩‍👧",
    "a",
    "é",
    "\u0085",
    "<>",
    "\x00",
    "internationalisation" * 5,
]


@pytest.mark.parametrize("name", GENSIM_MODELS)
def test_words_in_and_out_of_the_dictionary_are_as_gensim_has_them(
    name: str, gensim_data: Callable[[str], Path]
) -> None:
    path = gensim_data(name)
    theirs = load_facebook_vectors(str(path))
    known = [word for word in theirs.index_to_key if word != "</s>"]
    unknown = [word for word in UNKNOWN_WORDS if word not in theirs.key_to_index]
    # gensim hashes words that are not UTF-8 by the escapes that it has put into them.
    words = [word for word in known if "\\x" not in word] + unknown
    keys = [word.encode() for word in words]
    with path.open("rb") as stream:
        ours = read_vectors(stream, keys)
    assert set(ours.ids) == set(keys[: len(keys) - len(unknown)])
    expected = np.stack([theirs[word] for word in words])
    np.testing.assert_allclose(ours.matrix, expected, rtol=0, atol=1e-6)


def test_a_word_too_short_for_ngrams_has_no_vector() -> None:
    model = sample([b"long"], bucket=5, minn=5, maxn=6)
    ours = read_model(model.data(), [b"a", b"abc", b"long"])
    assert ours.counts.tolist() == [0, 1, 4]
    assert not ours.matrix[0].any()


@pytest.mark.parametrize(
    "name", ["crime-and-punishment", "lee_fasttext", "pang_lee_polarity_fasttext", "toy-model"]
)
def test_all_words_are_as_in_the_vec_that_fasttext_wrote(
    name: str, gensim_data: Callable[[str], Path]
) -> None:
    written = vec_rows(gensim_data(f"{name}.vec").read_bytes())
    assert name == "toy-model" or b"</s>" in written
    with gensim_data(f"{name}.bin").open("rb") as stream:
        ours = read_vectors(stream, list(written))
        stream.seek(0)
        assert list(itertools.chain(*read_words(stream, name=name))) == list(written)
    # Five digits are written, of sums of singles, whose last bits are lost where they cancel out.
    expected = np.stack(list(written.values()))
    np.testing.assert_allclose(ours.matrix, expected, rtol=5.1e-5, atol=3e-8)


def test_words_that_are_not_utf8_are_hashed_as_their_bytes(
    gensim_data: Callable[[str], Path],
) -> None:
    data = gensim_data("cp852_fasttext.bin").read_bytes()
    words = list(itertools.chain(*read_words(io.BytesIO(data), name="file")))
    theirs = load_facebook_vectors(str(gensim_data("cp852_fasttext.bin")), encoding="cp852")
    assert [word.decode("cp852") for word in words] == theirs.index_to_key
    assert any(not word.isascii() for word in words)
    ours = read_model(data, words)
    ascii_only = [index for index, word in enumerate(words) if word.isascii()]
    expected = np.stack([theirs[words[index].decode()] for index in ascii_only])
    np.testing.assert_allclose(ours.matrix[ascii_only], expected, rtol=0, atol=1e-6)


@pytest.mark.parametrize("options", [{}, {"hs": 1, "negative": 0}, {"max_n": 0}])
def test_a_model_that_gensim_wrote_is_read_as_gensim_reads_it(
    options: dict[str, int], tmp_path: Path
) -> None:
    sentences = [["영화", "the", "night"], ["the", "привет", "night"]] * 3
    model = gensim.models.FastText(
        sentences, vector_size=8, min_count=1, bucket=50, workers=1, epochs=1, **options
    )
    path = tmp_path / "model.bin"
    save_facebook_model(model, str(path))
    theirs = load_facebook_vectors(str(path))
    words = ["영화", "the", "night", "привет"]
    words += [] if "max_n" in options else ["nightly", "영화를"]
    with path.open("rb") as stream:
        ours = read_vectors(stream, [word.encode() for word in words])
    expected = np.stack([theirs[word] for word in words])
    np.testing.assert_allclose(ours.matrix, expected, rtol=0, atol=1e-6)


GOLDEN = bytes.fromhex(
    "ba164f2f 0c000000"  # magic, version 12
    "02000000 05000000 05000000 01000000"  # dim, ws, epoch, minCount
    "05000000 01000000 01000000 01000000"  # neg, wordNgrams, loss hs, cbow
    "02000000 03000000 03000000 64000000"  # bucket, minn, maxn, lrUpdateRate
    "2d431cebe2361a3f"  # t = 0.0001
    "02000000 02000000 00000000"  # 2 entries: 2 words, 0 labels
    "0900000000000000 ffffffffffffffff"  # 9 tokens, not pruned
    "3c2f733e00 0300000000000000 00"  # </s>, 3 times, a word
    "c3a900 0200000000000000 00"  # U+00E9
    "00"  # not quantised
    "0400000000000000 0200000000000000"  # input matrix 4 x 2
    "0000803f 00000040"  # 1, 2
    "00004040 00008040"  # 3, 4
    "0000a040 0000c040"  # 5, 6
    "0000e040 00000041"  # 7, 8
    "00"  # output not quantised
    "0100000000000000 0200000000000000 00000000 00000000"  # output matrix 1 x 2
)


def test_golden_bytes() -> None:
    dictionary = read_dictionary(io.BytesIO(GOLDEN), {b"</s>", b"\xc3\xa9", b"x"}, name="file")
    assert dictionary.ids == {b"</s>": 0, b"\xc3\xa9": 1}
    model = dictionary.model
    assert model.head == read_head(io.BytesIO(GOLDEN), name="file")
    assert model.head == (12, 2, "cbow", "hs", 2, 3, 3, 2, 0, -1, 92)
    assert (model.offset, model.rows, model.row_bytes) == (92 + 14 + 12 + 1 + 16, 4, 8)
    # FNV-1a of "<é>" with signed chars, 0xdf7f0d29, is odd: bucket 1.
    assert fnv1a("<é>".encode()) % 2 == 1
    vectors = read_model(GOLDEN, [b"</s>", b"\xc3\xa9"]).matrix
    assert vectors.tolist() == [[1, 2], [(3 + 7) / 2, (4 + 8) / 2]]


@pytest.mark.parametrize(("minn", "maxn"), [(0, 1), (1, 1), (1, 3), (2, 4), (3, 6), (5, 5), (3, 2)])
@pytest.mark.parametrize("version", [10, 11, 12])
def test_rows_are_those_of_the_ngrams(minn: int, maxn: int, version: int) -> None:
    model = sample(WORDS, bucket=11, minn=minn, maxn=maxn, version=version)
    words = [*UNKNOWN_WORDS, "</s>", "the", "né", "영화"]
    ours = read_model(model.data(), [word.encode() for word in words])
    expected = np.stack([expected_vector(model, word) for word in words])
    np.testing.assert_allclose(ours.matrix, expected, rtol=1e-6, atol=1e-9)


@given(
    st.lists(st.text(max_size=8), unique=True, max_size=6),
    st.integers(0, 5),
    st.integers(0, 8),
    st.integers(1, 50),
)
def test_any_text_has_the_rows_of_its_ngrams(
    texts: list[str], minn: int, maxn: int, bucket: int
) -> None:
    model = sample(WORDS, bucket=bucket, minn=minn, maxn=maxn)
    ours = read_model(model.data(), [text.encode() for text in texts])
    for text, vector in zip(texts, ours.matrix, strict=True):
        np.testing.assert_allclose(vector, expected_vector(model, text), rtol=1e-6, atol=1e-9)


@given(st.lists(st.binary(max_size=8), unique=True))
def test_words_of_any_bytes_have_as_many_rows_whichever_words_stand_beside(
    words: list[bytes],
) -> None:
    together = read_model(SMALL.data(), words)
    for word, vector, count in zip(words, together.matrix, together.counts, strict=True):
        alone = read_model(SMALL.data(), [word])
        assert alone.counts[0] == count
        assert alone.matrix[0].tobytes() == vector.tobytes()


@pytest.mark.parametrize("version", [11, 12])
def test_supervised_models_have_words_and_no_labels(version: int) -> None:
    model = SMALL._replace(kind=3, version=version)
    words = [b"the", "né".encode(), b"__label__a", b"other"]
    ours = read_model(model.data(), words)
    assert set(ours.ids) == set(words[:2])
    assert read_head(io.BytesIO(model.data()), name="file").kind == SUPERVISED
    if version == 11:
        assert ours.counts.tolist() == [1, 1, 0, 0]
        assert ours.matrix[:2].tobytes() == model.matrix[1:3].tobytes()
    else:
        assert ours.counts.all()


@given(st.lists(st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False))))
def test_without_ngrams_a_vector_is_the_row_bit_for_bit(columns: list[list[float]]) -> None:
    values = np.array(list(itertools.chain(*columns)) + [-0.0, 1e-45, 3e38], np.float32)
    model = Sample([b"w%d" % index for index in range(len(values))], values[:, None])
    ours = read_model(model.data(), [*model.words, b"unknown"])
    assert ours.matrix[:-1].tobytes() == values.tobytes()
    assert ours.counts[-1] == 0


MODEL_WORDS = [*WORDS, *(b"word%d" % index for index in range(40))]
CUT_MODEL = sample(MODEL_WORDS, bucket=30, minn=2, maxn=5)
CUT_WORDS = [*MODEL_WORDS, b"unknown", "привет".encode(), b"aaaaaaaaaaaaaa"]
WHOLE = read_model(CUT_MODEL.data(), CUT_WORDS).matrix.tobytes()


def test_two_ranges_cut_anywhere_give_the_bytes_of_one() -> None:
    for cut in range(len(CUT_MODEL.matrix) + 1):
        for order in (1, -1):
            ours = read_model(CUT_MODEL.data(), CUT_WORDS, cuts=[cut], order=order)
            assert ours.matrix.tobytes() == WHOLE


@given(
    st.lists(st.integers(0, len(CUT_MODEL.matrix)), max_size=20),
    st.sampled_from([1, -1]),
    st.integers(1, 200),
)
def test_ranges_cut_anywhere_and_added_in_any_order_give_the_bytes_of_one(
    cuts: list[int], order: int, block_bytes: int
) -> None:
    ours = read_model(CUT_MODEL.data(), CUT_WORDS, cuts=cuts, order=order, block_bytes=block_bytes)
    assert ours.matrix.tobytes() == WHOLE


def test_values_far_apart_are_added_alike_in_any_order() -> None:
    matrix = np.array([[value] for value in (1e3, 1e-3, -1e3, 3e-13, 1e-30, 999, -999, 0.1)])
    model = Sample([], matrix.astype(np.float32), bucket=8, minn=1, maxn=4)
    words = [b"abcdefghij", b"zyxwvu", b"the same"]
    results = {
        read_model(model.data(), words, cuts=cuts, order=order).matrix.tobytes()
        for cuts in ([], [4], [1, 2, 3, 5, 6, 7])
        for order in (1, -1)
    }
    assert len(results) == 1


def test_ranges_cover_all_rows_once() -> None:
    model = read_dictionary(io.BytesIO(CUT_MODEL.data()), set(), name="file").model
    for range_bytes in (1, 12, 100, 1 << 30):
        ranges = cut_rows(model, range_bytes)
        assert [row for first, last in ranges for row in range(first, last)] == [*range(74)]


def test_a_compressed_stream_and_short_reads_give_the_same() -> None:
    data = CUT_MODEL.data()
    short = ShortReads(data, 7)
    assert read_vectors(short, CUT_WORDS).matrix.tobytes() == WHOLE

    def unpacked() -> BinaryIO:
        return OneWay(igzip.GzipFile(fileobj=io.BytesIO(gzip.compress(data))))

    dictionary = read_dictionary(unpacked(), set(CUT_WORDS), name="file")
    model = dictionary.model
    plan = plan_rows(model.head, CUT_WORDS, dictionary.ids)
    sums = new_sums(model, plan)
    add_rows(unpacked(), model, plan, 0, model.rows, sums, name="file")
    assert mean_vectors(plan.counts, sums).tobytes() == WHOLE


def test_a_word_that_comes_twice_has_its_first_row() -> None:
    model = sample([b"a", b"b", b"a"])
    dictionary = read_dictionary(io.BytesIO(model.data()), {b"a", b"b"}, name="file")
    assert (dictionary.ids, dictionary.duplicates) == ({b"a": 0, b"b": 1}, 1)


def test_a_token_of_thousands_of_characters_has_no_vector() -> None:
    head = read_head(io.BytesIO(SMALL.data()), name="file")
    plan = plan_rows(head, [b"x" * 2000, b"x" * 5000, b"x" * 10_000_000], {})
    assert plan.counts.tolist() == [2001 + 2000 + 1999, 0, 0]


@pytest.mark.parametrize("name", [*GENSIM_MODELS, "cp852_fasttext.bin"])
def test_models_are_told_by_their_first_bytes(
    name: str, gensim_data: Callable[[str], Path]
) -> None:
    assert is_fasttext_model(gensim_data(name).read_bytes()[:64])


@pytest.mark.parametrize(
    "name",
    [
        "euclidean_vectors.bin",
        "high_precision.kv.txt",
        "lee_fasttext",
        "lee_fasttext.vec",
        "test_glove.txt",
        "varembed_morfessor.bin",
        "word2vec_pre_kv_c",
    ],
)
def test_other_files_are_no_models(name: str, gensim_data: Callable[[str], Path]) -> None:
    assert not is_fasttext_model(gensim_data(name).read_bytes()[:64])
    stream = io.BytesIO(gensim_data(name).read_bytes())
    with pytest.raises(DataError, match="byte 0: expected a fastText model"):
        read_head(stream, name=name)
