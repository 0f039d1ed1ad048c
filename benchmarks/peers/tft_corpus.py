"""tensorflow-transform on Beam's local runner: ``CORPUS MAX_TOKENS LENGTH OUTPUT``.

Runs in an environment of its own, since it needs other versions than embprep. It lower-cases,
makes punctuation white space, splits, computes and applies the vocabulary, pads, and writes
TFRecord.
"""

from __future__ import annotations

import os
import sys
import tempfile

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import apache_beam as beam
import tensorflow as tf
import tensorflow_transform as tft
import tensorflow_transform.beam as tft_beam
from tensorflow_transform.tf_metadata import dataset_metadata, schema_utils

_PUNCTUATION = r"[!\"#$%&()*+,\-./:;<=>?@\[\\\]^_`{|}~\t\n]"


def main(corpus: str, max_tokens: str, length: str, output: str) -> None:
    """Writes the vocabulary and the examples into a folder."""
    schema = schema_utils.schema_from_feature_spec({"text": tf.io.FixedLenFeature([], tf.string)})
    metadata = dataset_metadata.DatasetMetadata(schema)

    def preprocess(inputs: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        text = tf.strings.lower(inputs["text"], encoding="utf-8")
        tokens = tf.strings.split(tf.strings.regex_replace(text, _PUNCTUATION, " "))
        ids = tft.compute_and_apply_vocabulary(
            tokens, top_k=int(max_tokens) - 2, num_oov_buckets=1, vocab_filename="vocabulary"
        )
        # Of a RaggedTensor where TensorFlow splits into one.
        padded = ids.to_tensor(default_value=-1, shape=[None, int(length)])
        return {"token_ids": padded + 1, "length": tokens.row_lengths()}

    with (
        beam.Pipeline(runner="DirectRunner") as pipeline,
        tft_beam.Context(temp_dir=tempfile.mkdtemp()),
    ):
        rows = (
            pipeline
            | "Read" >> beam.io.ReadFromText(corpus)
            | "Row" >> beam.Map(lambda line: {"text": line})
        )
        (transformed, transformed_metadata), function = (
            rows,
            metadata,
        ) | tft_beam.AnalyzeAndTransformDataset(preprocess)
        coder = tft.coders.ExampleProtoCoder(transformed_metadata.schema)
        _ = (
            transformed
            | "Encode" >> beam.Map(coder.encode)
            | "Write" >> beam.io.WriteToTFRecord(f"{output}/train", file_name_suffix=".tfrecord.gz")
        )
        _ = function | tft_beam.WriteTransformFn(f"{output}/transform")


if __name__ == "__main__":
    main(*sys.argv[1:])
