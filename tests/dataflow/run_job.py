"""Runs the pipeline of a Dataflow job as its workers would: ``run_job.py PIPELINE_PROTO``.

It is started in an environment that has what the image of the workers has and what the job has
staged, and in a folder without any of our code. Each container becomes Beam's local engine in this
process, which is the only difference.
"""

import sys
from pathlib import Path

from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.portability import python_urns
from apache_beam.portability.api import beam_runner_api_pb2
from apache_beam.runners.portability.fn_api_runner import FnApiRunner

import transforms

# What runs is what was staged, and not the sources that these tests belong to.
assert Path(transforms.__file__).is_relative_to(sys.prefix), transforms.__file__

pipeline = beam_runner_api_pb2.Pipeline.FromString(Path(sys.argv[1]).read_bytes())
for environment in pipeline.components.environments.values():
    environment.urn = python_urns.EMBEDDED_PYTHON
    environment.payload = b""
    del environment.dependencies[:]
FnApiRunner().run_via_runner_api(pipeline, PipelineOptions([])).wait_until_finish()
