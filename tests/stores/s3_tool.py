"""Fills and reads buckets of S3 by boto3 alone, in a process of its own.

``s3_tool.py URL put FOLDER PREFIX`` makes the bucket and puts all files of a folder there;
``s3_tool.py URL get PREFIX FOLDER`` gets all objects under a prefix.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

BUCKET = "bucket"


def put(client: Any, folder: str, prefix: str) -> None:
    if BUCKET not in [bucket["Name"] for bucket in client.list_buckets()["Buckets"]]:
        client.create_bucket(Bucket=BUCKET)
    for path in sorted(Path(folder).rglob("*")):
        if path.is_file():
            client.upload_file(str(path), BUCKET, prefix + path.relative_to(folder).as_posix())


def get(client: Any, prefix: str, folder: str) -> None:
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix)
    for page in pages:
        for entry in page.get("Contents", ()):
            path = Path(folder, entry["Key"].removeprefix(prefix))
            path.parent.mkdir(parents=True, exist_ok=True)
            client.download_file(BUCKET, entry["Key"], str(path))


def main() -> None:
    import boto3

    url, command, one, other = sys.argv[1:]
    client = boto3.client("s3", endpoint_url=url, region_name="us-east-1")
    {"put": put, "get": get}[command](client, one, other)
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
