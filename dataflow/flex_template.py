"""What the launcher of the Dataflow flex template runs: ``embprep build`` with its parameters.

The launcher gives each parameter of the template as ``--NAME=VALUE``, and flags of Beam besides,
among them ``--template_location``: the job is described there, and then run by the launcher.
"""

import sys

from pipeline.main import command

if __name__ == "__main__":
    sys.exit(command(["build", *sys.argv[1:]]))
