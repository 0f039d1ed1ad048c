"""fastText models give the vectors that fastText and gensim give, however they are read."""

from __future__ import annotations

import contextlib
import gzip
import io
import itertools
import struct
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

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
from tests.formats.vectors.vector_files import ShortReads

MAGIC = 793712314
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


class Vectors(NamedTuple):
    matrix: Any
    counts: Any
    ids: dict[bytes, int]

    def of(self, words: Sequence[bytes]) -> dict[bytes, Any]:
        return dict(zip(words, self.matrix, strict=True))


def read_vectors(
    stream: BinaryIO,
    words: Sequence[bytes],
    *,
    cuts: Iterable[int] | None = None,
    order: int = 1,
    block_bytes: int = 1 << 20,
) -> Vectors:
    """Reads the vectors of words, in ranges of rows between some cuts, forwards or backwards."""
    dictionary = read_dictionary(stream, set(words), name="file")
    model = dictionary.model
    plan = plan_rows(model.head, words, dictionary.ids)
    bounds = [0, *sorted(cuts or ()), model.rows]
    parts = []
    for first, last in list(itertools.pairwise(bounds))[::order]:
        sums = new_sums(model, plan)
        add_rows(stream, model, plan, first, last, sums, name="file", block_bytes=block_bytes)
        parts.append(sums)
    return Vectors(mean_vectors(plan.counts, sum(parts)), plan.counts, dictionary.ids)


def read_model(data: bytes, words: Sequence[bytes], **options: Any) -> Vectors:
    return read_vectors(io.BytesIO(data), words, **options)


def vec_rows(data: bytes) -> dict[bytes, Any]:
    header, *rows = data.removesuffix(b"\n").split(b"\n")
    dim = int(header.split()[1])
    fields = [row.removesuffix(b" ").rsplit(b" ", dim) for row in rows]
    return {token: np.array(numbers, np.float64) for token, *numbers in fields}


def fnv1a(gram: bytes) -> int:
    """FNV-1a as fastText has it: a byte above 127 is a negative char, widened with its sign."""
    value = 2166136261
    for byte in gram:
        value ^= byte if byte < 128 else byte | 0xFFFFFF00
        value = value * 16777619 % 2**32
    return value


def ngrams(word: str, minn: int, maxn: int) -> list[bytes]:
    text = f"<{word}>"
    ends = (0, len(text) - 1)
    return [
        text[start : start + size].encode()
        for size in range(max(minn, 1), maxn + 1)
        for start in range(len(text) - size + 1)
        if size > 1 or start not in ends
    ]


class Sample(NamedTuple):
    """A model as it is written, field by field."""

    words: Sequence[bytes]
    matrix: Any
    labels: Sequence[bytes] = ()
    bucket: int = 0
    minn: int = 0
    maxn: int = 0
    loss: int = 2
    kind: int = 2
    version: int = 12
    pruned: int = -1
    quantised: int = 0

    def data(self, **changes: int) -> bytes:
        rows, dim = self.matrix.shape
        fields = {
            "dim": dim,
            "size": len(self.words) + len(self.labels),
            "words": len(self.words),
            "labels": len(self.labels),
            "rows": rows,
            "columns": dim,
            "output_rows": 2,
            "output_columns": dim,
            **changes,
        }
        new = self.version >= 11
        parts = [struct.pack("<2i", MAGIC, self.version) if new else b""]
        args = (fields["dim"], 5, 1, 1, 5, 1, self.loss, self.kind)
        parts.append(struct.pack("<12id", *args, self.bucket, self.minn, self.maxn, 100, 1e-4))
        parts.append(struct.pack("<3iq", fields["size"], fields["words"], fields["labels"], 99))
        parts.append(struct.pack("<q", self.pruned) if new else b"")
        for kind, names in enumerate([self.words, self.labels]):
            parts += [name + b"\0" + struct.pack("<qb", 7, kind) for name in names]
        parts += [struct.pack("<2i", index, index) for index in range(self.pruned)]
        parts.append(struct.pack("B", self.quantised) if new else b"")
        parts.append(struct.pack("<2q", fields["rows"], fields["columns"]))
        parts.append(self.matrix.astype("<f4").tobytes())
        parts.append(b"\0" if new else b"")
        parts.append(struct.pack("<2q", fields["output_rows"], fields["output_columns"]))
        parts.append(bytes(4 * 2 * dim))
        return b"".join(parts)


def sample(words: Sequence[bytes], *, bucket: int = 0, dim: int = 3, **fields: Any) -> Sample:
    random = np.random.default_rng(len(words) + bucket)
    matrix = random.normal(size=(len(words) + bucket, dim)).astype(np.float32)
    return Sample(words, matrix, bucket=bucket, **fields)


WORDS = [b"</s>", b"the", "né".encode(), "영화".encode()]
SMALL = sample(WORDS, bucket=7, minn=2, maxn=4, labels=[b"__label__a", b"__label__b"])


def expected_vector(model: Sample, word: str) -> Any:
    """The mean of a word's rows, row by row, in doubles."""
    names = list(model.words)
    rows = [names.index(word.encode())] if word.encode() in names else []
    if word != "</s>" or model.version < 11:
        rows += [
            len(names) + fnv1a(gram) % model.bucket for gram in ngrams(word, model.minn, model.maxn)
        ]
    return np.mean(model.matrix[rows].astype(np.float64), axis=0) if rows else np.zeros(3)


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


class OneWay(io.BufferedReader):
    """A stream without a way back, as decompressed streams are here."""

    def seekable(self) -> bool:
        return False

    def seek(self, *_: int) -> int:
        raise io.UnsupportedOperation


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


def test_the_quantised_model_of_facebook_is_refused_by_name(shared_data: Path) -> None:
    with (shared_data / "vectors" / "lid.176.ftz").open("rb") as stream:
        assert read_head(stream, name="lid").words == 7235
        stream.seek(0)
        with pytest.raises(DataError, match=r"lid: a quantised fastText model.*use the \.bin"):
            read_dictionary(stream, set(), name="lid")


@pytest.mark.parametrize("pruned", [0, 5])
def test_a_pruned_model_is_refused_by_name(pruned: int) -> None:
    with pytest.raises(DataError, match=r"a pruned fastText model.*use the \.bin"):
        read_model(SMALL._replace(pruned=pruned).data(), [b"the"])


@pytest.mark.parametrize(
    "model", [SMALL, SMALL._replace(version=10), SMALL._replace(pruned=3, quantised=1)]
)
def test_every_truncation_fails_with_the_file_and_the_place(model: Sample) -> None:
    data = model.data()
    for size in range(len(data)):
        with pytest.raises(DataError, match=r"^file: ") as caught:
            read_model(data[:size], WORDS)
        assert "byte" in str(caught.value) or "quantised" in str(caught.value)
        with pytest.raises(DataError, match=r"^file: "):
            read_one_way(data[:size])
    with pytest.raises(DataError, match="quantised|end of the file"):
        read_model(data + b"\0", WORDS)


def read_one_way(data: bytes) -> None:
    """Reads all of a model of which only the reading can tell how long it is."""
    dictionary = read_dictionary(OneWay(io.BytesIO(data)), set(WORDS), name="file")
    model = dictionary.model
    plan = plan_rows(model.head, WORDS, dictionary.ids)
    sums = new_sums(model, plan)
    add_rows(OneWay(io.BytesIO(data)), model, plan, 0, model.rows, sums, name="file")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"dim": 0}, r"byte 64: expected 1 to 65535 dimensions, found 0"),
        ({"dim": 2**31 - 1}, "expected 1 to 65535 dimensions"),
        ({"size": -1}, "as many entries as words and labels"),
        ({"words": -4, "labels": 10}, "as many entries as words and labels"),
        ({"size": 7}, "as many entries as words and labels"),
        ({"size": 5, "labels": 1}, "expected a flag, 0 or 1"),
        ({"words": 5, "labels": 1}, r"dictionary entry 5, byte \d+: expected an entry of type 0"),
        ({"words": 3, "labels": 3}, r"dictionary entry 1, byte \d+: expected an entry of type 1"),
        ({"size": 2**31 - 1, "words": 2**31 - 3}, "dictionary entry 5"),
        ({"rows": 2**62}, "expected an input matrix of 11 x 3, found 4611686018427387904 x 3"),
        ({"columns": -3}, "expected an input matrix of 11 x 3, found 11 x -3"),
        ({"dim": 4}, "expected an input matrix of 11 x 4, found 11 x 3"),
        ({"output_rows": -1}, "an output matrix of 3 columns, found -1 x 3"),
        ({"output_columns": 9}, "an output matrix of 3 columns, found 2 x 9"),
        ({"output_rows": 2**60}, "found 24 bytes"),
        ({"output_rows": 1}, "expected the 12 bytes of the output matrix"),
    ],
)
def test_wrong_sizes_are_found(changes: dict[str, int], message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_model(SMALL.data(**changes), WORDS)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"loss": 9}, "expected a loss, 1 to 4, found 9"),
        ({"kind": 0}, "expected a kind of model, 1 to 3, found 0"),
        ({"bucket": -1}, "bucket, minn and maxn"),
        ({"minn": -1}, "bucket, minn and maxn"),
        ({"maxn": -1}, "bucket, minn and maxn"),
        ({"version": 13}, "version 11 or 12, found version 13"),
        ({"quantised": 2}, "expected a flag, 0 or 1, before the input matrix, found 2"),
        ({"bucket": 8}, "expected an input matrix of 12 x 3"),
        ({"pruned": -2}, "-2 pruned"),
    ],
)
def test_wrong_arguments_are_found(fields: dict[str, int], message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_model(SMALL._replace(**fields).data(), WORDS)


def test_a_dictionary_without_an_end_is_not_read_into_memory() -> None:
    data = SMALL.data()
    head = read_head(io.BytesIO(data), name="file").head_bytes
    with pytest.raises(DataError, match="dictionary entry 1, byte 92: expected a word"):
        read_model(data[:head] + b"x" * (5 << 20), WORDS)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1024.0, -3e38])
def test_a_needed_value_that_is_no_number_or_diverged_is_found(value: float) -> None:
    matrix = SMALL.matrix.copy()
    matrix[5, 1] = value
    data = SMALL._replace(matrix=matrix).data()
    message = r"file: input matrix row 5, byte \d+: expected (finite values|values below 1024)"
    with pytest.raises(DataError, match=message):
        read_model(data, [b"the", b"quick", b"brown", b"foxes"])
    assert read_model(data, [b"</s>"]).matrix.tobytes() == SMALL.matrix[0].tobytes()


@given(st.binary(max_size=300), st.booleans())
def test_random_bytes_are_an_error_with_a_name(data: bytes, signed: bool) -> None:
    start = SMALL.data()[: 92 if signed else 40]
    with pytest.raises(DataError, match="^file: "):
        read_model(start + data, WORDS)


@given(st.integers(0, len(SMALL.data()) - 1), st.integers(0, 255))
def test_a_changed_byte_is_read_or_a_documented_error(place: int, value: int) -> None:
    data = bytearray(SMALL.data())
    data[place] = value
    with contextlib.suppress(DataError):
        read_model(bytes(data), WORDS)
