"""Objects of S3, and of servers that speak its protocol, by boto3.

The client is the one that Beam makes of its flags ``--s3_...``, so what boto3 knows of credentials
and retries by itself (``AWS_PROFILE``, ``AWS_MAX_ATTEMPTS``, ...) holds too.
"""

from __future__ import annotations

import contextlib
import functools
import uuid
from collections.abc import Iterable, Iterator
from typing import Any

from apache_beam.io.aws.clients.s3 import boto3_client
from apache_beam.utils import retry

from formats.errors import UsageError
from transforms.object_store import ObjectFacts, StoredFile, replaced

# Up to this size an object is put there by one request.
_SINGLE_PUT_BYTES = 64 << 20
_PART_BYTES = 16 << 20
_CONCURRENT_PARTS = 4

_NOT_FOUND, _TOO_LATE, _PRECONDITION_FAILED = 404, 408, 412
_CONFLICT, _TOO_MANY, _SERVER_ERROR, _NOT_IMPLEMENTED = 409, 429, 500, 501


class S3Store:
    """The objects of ``s3://BUCKET/KEY``.

    Args:
        options: Beam's options.
        uri: what the store is wanted for, for messages.

    Raises:
        UsageError: boto3 is not installed.
    """

    def __init__(self, options: Any, uri: str) -> None:
        if boto3_client.boto3 is None:
            raise UsageError(f"{uri}: s3:// needs boto3, which embprep[s3] installs")
        from boto3.s3.transfer import TransferConfig
        from botocore.exceptions import BotoCoreError

        try:
            self._client = boto3_client.Client(options).client
        except (BotoCoreError, ValueError) as error:
            raise UsageError(f"{uri}: the --s3_... flags can't be used: {error}") from error
        self._transfer = TransferConfig(
            multipart_threshold=_SINGLE_PUT_BYTES,
            multipart_chunksize=_PART_BYTES,
            max_concurrency=_CONCURRENT_PARTS,
        )

    def facts(self, uri: str) -> ObjectFacts:
        """What an object is."""
        bucket, key = _parts(uri)
        with _errors_named(uri):
            head = _retried(self._client.head_object)(Bucket=bucket, Key=key)
        return ObjectFacts(head["ContentLength"], head["ETag"])

    def read(self, uri: str, version: Any, start: int, stop: int) -> bytes:
        """The bytes of a version of an object from ``start`` to ``stop``."""
        with _errors_named(uri):
            return _retried(self._read)(*_parts(uri), version, start, stop)

    def _read(self, bucket: str, key: str, version: str, start: int, stop: int) -> bytes:
        answer = self._client.get_object(
            Bucket=bucket, Key=key, Range=f"bytes={start}-{stop - 1}", IfMatch=version
        )
        with contextlib.closing(answer["Body"]) as body:
            if answer["ContentLength"] != stop - start:
                raise OSError(f"asked for {stop - start} bytes from byte {start} on, the server "
                              f"sends {answer['ContentLength']}")  # fmt: skip
            # A connection that ends before is an error of boto3's, so a range comes whole.
            data: bytes = body.read()
            return data

    def find(self, prefix: str) -> Iterator[StoredFile]:
        """All objects whose URIs start so, but for the marks of folders."""
        bucket, key = _parts(prefix)
        more: dict[str, str] | None = {}
        while more is not None:
            with _errors_named(prefix):
                page = _retried(self._client.list_objects_v2)(Bucket=bucket, Prefix=key, **more)
            for entry in page.get("Contents", ()):
                if not entry["Key"].endswith("/"):
                    yield StoredFile(f"s3://{bucket}/{entry['Key']}", entry["Size"])
            token = page.get("NextContinuationToken")
            more = {"ContinuationToken": token} if token else None

    def upload(self, path: str, uri: str) -> None:
        """Puts a local file there as an object, up to 64 MiB by one request."""
        bucket, key = _parts(uri)
        with _errors_named(uri):
            _retried(self._client.upload_file)(path, bucket, key, Config=self._transfer)

    def create(self, uri: str, data: bytes) -> bool:
        """Puts a small object there unless there is one; gives whether it did.

        A server that says that it knows no condition (501) puts it there anyway, as does one that
        doesn't heed what it doesn't know.
        """
        bucket, key = _parts(uri)
        attempt = {"attempt": uuid.uuid4().hex}
        put = functools.partial(
            _retried(self._client.put_object), Bucket=bucket, Key=key, Body=data, Metadata=attempt
        )
        with _errors_named(uri):
            try:
                put(IfNoneMatch="*")
            except Exception as error:
                status = _status(error)
                if status == _PRECONDITION_FAILED:
                    # It may be our own, if the answer to it was lost.
                    head = _retried(self._client.head_object)(Bucket=bucket, Key=key)
                    return bool(head["Metadata"] == attempt)
                if status != _NOT_IMPLEMENTED:
                    raise
                put()
        return True

    def delete(self, uris: Iterable[str]) -> None:
        """Deletes objects, those that are there."""
        for uri in uris:
            bucket, key = _parts(uri)
            with contextlib.suppress(FileNotFoundError), _errors_named(uri):
                _retried(self._client.delete_object)(Bucket=bucket, Key=key)


def _parts(uri: str) -> tuple[str, str]:
    bucket, _, key = uri.removeprefix("s3://").partition("/")
    return bucket, key


@contextlib.contextmanager
def _errors_named(uri: str) -> Iterator[None]:
    """Raises boto3's errors as those of files, which name the object."""
    from boto3.exceptions import Boto3Error
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except (Boto3Error, BotoCoreError, ClientError) as error:
        status = _status(error)
        if status == _NOT_FOUND:
            raise FileNotFoundError(f"{uri}: no such object, or no such bucket") from error
        if status == _PRECONDITION_FAILED:
            raise replaced(uri) from error
        raise OSError(f"{uri}: {error}") from error


def _cause(error: BaseException) -> BaseException:
    """The error itself; for that of an upload, which hides it, the one that it was made of."""
    from boto3.exceptions import S3UploadFailedError

    if isinstance(error, S3UploadFailedError):
        return error.__cause__ or error.__context__ or error
    return error


def _status(error: BaseException) -> int | None:
    """The HTTP status by which a server refused; None for what is no answer of a server."""
    from botocore.exceptions import ClientError

    cause = _cause(error)
    if not isinstance(cause, ClientError):
        return None
    status: int | None = cause.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    return status


def _may_pass(error: BaseException) -> bool:
    """Whether it is worth to try again: the server is busy or failing, or was not reached."""
    from botocore.exceptions import ConnectionError as NotConnectedError
    from botocore.exceptions import HTTPClientError, IncompleteReadError

    status = _status(error)
    if status is not None:
        passing = status in (_TOO_LATE, _CONFLICT, _TOO_MANY) or status >= _SERVER_ERROR
        return passing and status != _NOT_IMPLEMENTED
    return isinstance(_cause(error), HTTPClientError | IncompleteReadError | NotConnectedError)


# boto3 tries a request again by itself, four times unless told otherwise, but not when the
# connection ends within an answer's body.
_retried = retry.with_exponential_backoff(
    num_retries=4, initial_delay_secs=0.5, max_delay_secs=8, retry_filter=_may_pass
)
