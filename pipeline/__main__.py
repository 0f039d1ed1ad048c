"""Runs ``python -m pipeline``, which is the same as ``embprep``."""

import sys

from pipeline.main import command

if __name__ == "__main__":
    sys.exit(command())
