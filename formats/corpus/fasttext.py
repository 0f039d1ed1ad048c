"""fastText's format for classifiers: ``__label__x`` and the words of the text, one row a line.

fastText (``Dictionary::getLine``) takes every word that begins with ``__label__`` for a label,
wherever it stands in the line; here a row has one.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow.compute as pc

from formats.containers import OpenFile
from formats.corpus.lines import read_lines
from formats.corpus.ranges import CorpusRange
from formats.corpus.rows import SEVERAL_LABELS, Candidates
from formats.corpus.text import line_candidates

LABEL_PREFIX = "__label__"

# fastText's own white space, without the end of the line.
_SPACE, _WORD = r"[ \t\v\f\r]", r"[^ \t\v\f\r]*"
_LABEL = rf"(?:^|{_SPACE}){LABEL_PREFIX}(?P<label>{_WORD})"
_LABELS_AND_SPACE = rf"^(?:{_SPACE}*{LABEL_PREFIX}{_WORD})+{_SPACE}*|{_SPACE}{LABEL_PREFIX}{_WORD}"


def read(work: CorpusRange, open_file: OpenFile, block_bytes: int) -> Iterator[Candidates]:
    """Reads the lines of a range; the text is what the labels leave."""
    for lines in read_lines(work, open_file, block_bytes):
        found = line_candidates(work, lines)
        texts = pc.replace_substring_regex(found.texts, _LABELS_AND_SPACE, "")
        labels = None
        if work.label_column:
            labels = pc.struct_field(pc.extract_regex(found.texts, _LABEL), "label")
            several = np.asarray(pc.count_substring_regex(found.texts, _LABEL)) > 1
            found.reasons[several] = SEVERAL_LABELS
        yield found._replace(texts=texts, labels=labels)
