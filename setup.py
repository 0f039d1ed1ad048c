"""Builds the source distribution that Beam ships to its workers (``--setup_file``).

All metadata is in pyproject.toml.
"""

import setuptools

setuptools.setup()
