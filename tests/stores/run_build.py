"""A build whose input is cut into small ranges, as a process: ``run_build CONFIG FLAG...``.

CONFIG is JSON: the arguments of ``BuildConfig``; the flags are Beam's.
"""

from __future__ import annotations

import json
import sys

from apache_beam.options.pipeline_options import PipelineOptions

from pipeline.build import build
from pipeline.config import BuildConfig

if __name__ == "__main__":
    build(BuildConfig(**json.loads(sys.argv[1])), PipelineOptions(sys.argv[2:]))
