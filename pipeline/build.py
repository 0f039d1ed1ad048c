"""``embprep build``: plan, check, run, and say what came out."""

from __future__ import annotations

import contextlib
import datetime
import hashlib
import json
import os
import platform
import time
from importlib.metadata import version
from typing import NamedTuple

from apache_beam.options.pipeline_options import PipelineOptions, StandardOptions

from formats.dataset.manifest import Manifest, parse_manifest
from formats.dataset.paths import run_directory, run_manifest_path
from formats.errors import UsageError
from pipeline.config import BuildConfig
from pipeline.engine import is_local, is_only_described, make_pipeline, run_pipeline
from pipeline.job import add_build
from pipeline.plan import Plan, plan_build, plan_corpora
from pipeline.progress import Progress
from pipeline.runs import LOCAL, begun_run
from pipeline.trained_vectors import delete_trained, plan_trainings, train_all
from transforms.encode_examples import ExampleSpec
from transforms.publish import Draft
from transforms.storage import delete_partial, join, read_file, use_options
from transforms.write_matrix import MatrixSpec

# A byte of vectors is less work than one of text, since rows that nobody asked for are passed over.
_VECTORS_PER_TEXT = 4

_PACKAGES = ("embprep", "apache-beam", "numpy", "pyarrow", "protobuf")


def build(config: BuildConfig, options: PipelineOptions) -> tuple[Manifest | None, float]:
    """Builds a dataset and publishes it.

    Args:
        config: the flags.
        options: Beam's options, which name the engine.

    Returns:
        The published manifest, and the seconds that the build took. No manifest if the job was
        only described: a template, or a dry run.

    Raises:
        UsageError: flags that can't be used; nothing was run.
        DataError: bad input. The dataset that OUTPUT held before is whole and in force.
    """
    started = time.monotonic()
    use_options(options)
    run = name_run(config)
    corpora = plan_corpora(config)
    trainings = plan_trainings(config, join(config.output, run_directory(run.run_id)))
    local = is_local(options)
    if trainings and is_only_described(options):
        raise UsageError(
            f"--vectors {trainings[0].spec}: is made by jobs that run before the one described; "
            "make it with embprep vectors, and give the file"
        )
    engine = LOCAL if local else str(options.view_as(StandardOptions).runner)
    begun = begun_run(config.output, run.run_id, engine)
    with contextlib.ExitStack() as stack:
        if trainings:
            stack.enter_context(begun)
        plan = plan_build(config, corpora, train_all(trainings, options))
        pipeline = make_pipeline(
            options, plan.corpus_bytes + plan.vector_bytes // _VECTORS_PER_TEXT
        )
        add_build(pipeline, config, plan, draft_manifest(config, plan, run))
        if not trainings:
            stack.enter_context(begun)
        with Progress(plan) as progress:
            run_pipeline(pipeline, None if local else progress.follow)
        if is_only_described(options):
            return None, time.monotonic() - started
        delete_trained(trainings)
        # Of workers that were killed, where the engine started others.
        delete_partial(join(config.output, run_directory(run.run_id)))
    manifest_uri = join(config.output, run_manifest_path(run.run_id))
    manifest = parse_manifest(read_file(manifest_uri), manifest_uri)
    return manifest, time.monotonic() - started


class Run(NamedTuple):
    """The name of a run, and when it began: UTC, ISO 8601."""

    run_id: str
    created: str


def name_run(config: BuildConfig) -> Run:
    """Names a run; without ``--run_id`` so that no two have one name."""
    created = datetime.datetime.now(datetime.timezone.utc)
    # The moment and the process tell apart two builds of the same that start in one second.
    identity = json.dumps([created.isoformat(), os.getpid(), config.published()], sort_keys=True)
    digest = hashlib.sha256(identity.encode()).hexdigest()
    return Run(
        config.run_id or f"{created:%Y%m%dT%H%M%SZ}-{digest[:8]}",
        created.isoformat(timespec="seconds"),
    )


def draft_manifest(config: BuildConfig, plan: Plan, run: Run) -> Draft:
    """What the manifest says that is known before the job runs."""
    return Draft(
        output=config.output,
        run_id=run.run_id,
        created=run.created,
        config=config.published(),
        versions={
            "python": platform.python_version(),
            **{package: version(package) for package in _PACKAGES},
        },
        corpus=plan.corpus,
        sources=plan.sources,
        fingerprints=plan.fingerprints,
        splits=plan.splits,
        matrix=MatrixSpec(
            plan.parts, config.dtype, config.matrix_format, config.matrix_shards, config.oov_seed
        ),
        examples=ExampleSpec(
            max_length=config.max_length,
            padding=config.padding,
            truncating=config.truncating,
            shuffle_seed=config.shuffle_seed,
            shards=config.example_shards,
            compression=config.compression,
            labelled=plan.labelled,
        ),
        warnings=plan.warnings,
    )
