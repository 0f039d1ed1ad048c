"""word2vec and fastText vectors, trained by gensim on a corpus that is read from its files."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from formats.blocks import SPLITS
from formats.corpus.ranges import CorpusRange
from formats.corpus.read import read_range
from formats.tokenized import tokenize_block
from formats.tokenizers import make_tokenizer
from transforms.storage import open_file

# gensim trains on no more words of a sentence than these, and drops the others in silence.
_SENTENCE_WORDS = 10_000


class Sentences:
    """The rows of a corpus as lists of tokens; each iteration reads the files again.

    Args:
        ranges: the ranges of the corpus, in the order of the input.
        tokenizer: as ``formats.tokenizers.make_tokenizer`` takes it.
        fractions: the share of each split, for rows that have none yet.
        splits: names of the splits whose rows are wanted.
        epochs: how many iterations there will be, to say so.
    """

    def __init__(
        self,
        ranges: Sequence[CorpusRange],
        tokenizer: str,
        fractions: Mapping[str, float],
        splits: Collection[str],
        epochs: int,
    ) -> None:
        self._ranges = ranges
        self._tokenize = make_tokenizer(tokenizer)
        self._fractions = fractions
        self._splits = pa.array([SPLITS.index(split) for split in splits], pa.int8())
        self._epoch, self._epochs = 0, epochs
        self._started = time.monotonic()

    def __iter__(self) -> Iterator[list[str]]:
        self._epoch += 1
        seconds = time.monotonic() - self._started
        print(f"{seconds:6.1f} s  epoch {self._epoch} of {self._epochs}", flush=True)
        for work in self._ranges:
            for block in read_range(work, open_file):
                yield from self._sentences(block.rows)

    def _sentences(self, rows: Any) -> Iterator[list[str]]:
        block = tokenize_block(rows, self._tokenize, self._fractions)
        own = block.column("tokens").filter(pc.is_in(block.column("split"), self._splits))
        for tokens in own.to_pylist():
            for first in range(0, len(tokens), _SENTENCE_WORDS):
                yield tokens[first : first + _SENTENCE_WORDS]


def train_by_gensim(
    method: str,
    sentences: Sentences,
    counts: Mapping[str, int],
    rows: int,
    words: int,
    epochs: int,
    **options: Any,
) -> Any:
    """Trains a model.

    gensim 4 draws from the seed alone and never calls ``hash()``, so that one worker thread gives
    the same vectors in each run on the same machine. Several threads update the vectors in the
    order that they get to it, which gives others each time.

    Args:
        method: ``word2vec`` or ``fasttext``.
        sentences: the corpus.
        counts: the vocabulary in the order of its rows, with counts.
        rows: rows of the corpus.
        words: words of the corpus, those that are not in the vocabulary too.
        epochs: how often the corpus is gone through.
        options: of ``gensim.models.Word2Vec`` or ``FastText``, by gensim's names.

    Returns:
        The gensim model.
    """
    from gensim.models import FastText, Word2Vec

    kind = FastText if method == "fasttext" else Word2Vec
    # gensim would sort the vocabulary by an unstable sort.
    model = kind(sorted_vocab=0, epochs=epochs, **options)
    model.build_vocab_from_freq(dict(counts), corpus_count=rows)
    model.corpus_total_words = words
    model.train(sentences, total_words=words, epochs=epochs)
    return model
