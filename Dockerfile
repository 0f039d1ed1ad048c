# The image of a Dataflow job, with embprep and what it needs, every package pinned and hashed.
#
#   docker build --target worker -t IMAGE .      what the workers run (--sdk_container_image)
#   docker build --target template -t IMAGE .    the same, and the launcher of the flex template
#
# TensorFlow is not in it: only the trainer needs it, and no worker trains.

# The version is that of apache-beam in requirements-dataflow.lock.
FROM apache/beam_python3.11_sdk:2.77.0 AS sdk

# Its release that is meant to be used has no other name.
# hadolint ignore=DL3007
FROM gcr.io/dataflow-templates-base/python311-template-launcher-base:latest AS launcher

# Of Beam's image only the program that starts a worker: its own packages, in other versions than
# those that embprep is tested with, would stand in the way.
FROM python:3.11-slim AS worker
COPY --from=sdk /opt/apache/beam /opt/apache/beam
WORKDIR /opt/embprep
COPY requirements-dataflow.lock ./
RUN pip install --no-cache-dir --require-hashes -r requirements-dataflow.lock
COPY pyproject.toml setup.py README.md LICENSE ./
COPY formats ./formats
COPY pipeline ./pipeline
COPY transforms ./transforms
RUN pip install --no-cache-dir --no-deps --no-build-isolation . && pip check
ENTRYPOINT ["/opt/apache/beam/boot"]

FROM worker AS template
COPY --from=launcher /opt/google/dataflow/python_template_launcher \
    /opt/google/dataflow/python_template_launcher
COPY dataflow/flex_template.py ./dataflow/
ENV FLEX_TEMPLATE_PYTHON_PY_FILE=/opt/embprep/dataflow/flex_template.py
