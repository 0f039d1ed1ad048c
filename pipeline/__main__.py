"""Runs ``python -m pipeline``, which is the same as ``embprep``."""

import sys

from pipeline.main import main

if __name__ == "__main__":
    sys.exit(main())
