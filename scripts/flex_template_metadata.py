"""Prints ``dataflow/metadata.json``: the flags of ``embprep build`` as parameters of a template.

    python scripts/flex_template_metadata.py > dataflow/metadata.json

The parameters are those of the parser, so that they say the same. The fields are those of the
Dataflow API's ``TemplateMetadata``.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from formats.blocks import SPLITS  # noqa: E402  (found through the line above)
from formats.oov import POLICIES  # noqa: E402
from formats.vectors.forms import RULES  # noqa: E402
from pipeline.flags import beam_parser, build_parser  # noqa: E402

# Of no use to a launcher: they take no value, as parameters do, or code from this machine.
LEFT_OUT = ("help", "verbose", "allow_pickle")
# The others may stand in the file of `config`, where several of a kind can be given too.
REQUIRED = ("output",)
# Those of Beam's flags that `gcloud dataflow flex-template run` has no flag of its own for.
BEAM_FLAGS = ("sdk_container_image", "number_of_worker_harness_threads")

_ONE_OR_SEVERAL = "the parameter holds one; several stand as a list in the file of config"
_NOTES = {"corpus": _ONE_OR_SEVERAL, "vectors": _ONE_OR_SEVERAL}
_TYPES = {"config": "GCS_READ_FILE", "vocabulary": "GCS_READ_FILE", "output": "GCS_WRITE_FOLDER"}
_FRACTION = r"[0-9]*\.?[0-9]+(?:[eE][+-]?[0-9]+)?"


def _list_of(choices: Sequence[str]) -> str:
    one = _one_of(choices)
    return f"{one}(?:,{one})*"


def _one_of(choices: Sequence[str]) -> str:
    return f"(?:{'|'.join(map(re.escape, choices))})"


_WHOLE_NUMBER = "[0-9]{1,18}"
# No stricter than the parser, which has the last word; only for flags that have no choices.
PATTERNS = {
    "config": "gs://.+",
    "output": "gs://.+",
    "vocabulary": "gs://.+",
    "splits": ".+=.+",
    "max_reject_fraction": f"{_FRACTION}(?:,{_FRACTION})?",
    "vocabulary_splits": _list_of(SPLITS),
    "fallback": _list_of(RULES),
    "oov": _list_of(POLICIES),
    "run_id": "[A-Za-z0-9][A-Za-z0-9._-]{0,127}",
    "shuffle_seed": "none|-?[0-9]{1,18}",
    **dict.fromkeys(
        (
            "max_tokens",
            "min_count",
            "vector_tokens",
            "oov_seed",
            "matrix_shards",
            "max_length",
            "example_shards",
        ),
        _WHOLE_NUMBER,
    ),
}


def metadata() -> dict[str, Any]:
    """The metadata of the template."""
    actions = [action for action in build_parser()._actions if action.dest not in LEFT_OUT]
    unknown = PATTERNS.keys() - {action.dest for action in actions if not action.choices}
    if unknown:
        raise ValueError(f"patterns of no flag, or of one with choices: {sorted(unknown)}")
    # What everyone gives comes first.
    first = {"corpus": 0, "vectors": 1, "output": 2}
    actions.sort(key=lambda action: first.get(action.dest, len(first)))
    actions += [action for action in beam_parser("")._actions if action.dest in BEAM_FLAGS]
    return {
        "name": "embprep build",
        "description": "Prepares word-embedding training data: a vocabulary, an embedding matrix "
        "and TFRecord examples, from a corpus and pretrained word vectors. What the text of a "
        "parameter ends with is its default.",
        "parameters": [_parameter(action) for action in actions],
    }


def _parameter(action: argparse.Action) -> dict[str, Any]:
    name = action.dest
    label = name.replace("_", " ").capitalize()
    choices = list(action.choices or [])
    pattern = _one_of(choices) if choices else PATTERNS.get(name)
    help_text = "; ".join(
        filter(None, [_NOTES.get(name), choices and f"one of {', '.join(choices)}", action.help])
    )
    return {
        "name": name,
        "label": label,
        "helpText": f"{help_text[0].upper()}{help_text[1:].rstrip('.')}.",
        "isOptional": name not in REQUIRED,
        "paramType": _TYPES.get(name, "TEXT"),
        **({"regexes": [f"^(?:{pattern})$"]} if pattern else {}),
    }


if __name__ == "__main__":
    print(json.dumps(metadata(), indent=2))
