"""All readers under fuzzing, by name; to add one is to add a line to one of these tables."""

from __future__ import annotations

from tests.fuzz.columnar_targets import COLUMNAR_TARGETS
from tests.fuzz.corpus_targets import CORPUS_TARGETS
from tests.fuzz.dataset_targets import DATASET_TARGETS
from tests.fuzz.vector_targets import VECTOR_TARGETS
from tests.fuzz.verify_target import VERIFY_TARGETS

TARGETS = VECTOR_TARGETS | COLUMNAR_TARGETS | CORPUS_TARGETS | DATASET_TARGETS | VERIFY_TARGETS
