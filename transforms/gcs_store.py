"""Objects of Google Cloud Storage, by google-cloud-storage.

The client is the one that Beam makes of its flags and of the application default credentials. It
tries again by itself what failed for a reason that may pass, the rest of a download too.
"""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterable, Iterator
from typing import Any

from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.utils import retry

from formats.errors import UsageError
from transforms.object_store import ObjectFacts, StoredFile, replaced

# For how long a request of an upload is tried again.
_UPLOAD_SECONDS = 40
_CONTENT_TYPE = "application/octet-stream"


class GcsStore:
    """The objects of ``gs://BUCKET/NAME``.

    Args:
        options: Beam's options.
        uri: what the store is wanted for, for messages.

    Raises:
        UsageError: google-cloud-storage is not installed.
    """

    def __init__(self, options: PipelineOptions | dict[str, Any], uri: str) -> None:
        try:
            from apache_beam.io.gcp import gcsio
            from google.cloud.storage.retry import DEFAULT_RETRY
        except ImportError as error:
            raise UsageError(
                f"{uri}: gs:// needs google-cloud-storage, which embprep[gcs] installs ({error})"
            ) from error
        if isinstance(options, dict):
            options = PipelineOptions.from_dictionary(options)
        self._client = gcsio.create_storage_client(options)
        self._retry = DEFAULT_RETRY

    def facts(self, uri: str) -> ObjectFacts:
        """What an object is."""
        blob = self._blob(uri)
        with _errors_named(uri):
            blob.reload(retry=self._retry)
        return ObjectFacts(blob.size, blob.generation)

    def read(self, uri: str, version: Any, start: int, stop: int) -> bytes:
        """The bytes of a version of an object from ``start`` to ``stop``."""
        with _errors_named(uri):
            # Raw: an object that is kept as gzip is not unpacked on the way.
            data: bytes = self._blob(uri).download_as_bytes(
                start=start,
                end=stop - 1,
                raw_download=True,
                if_generation_match=version,
                checksum=None,
                retry=self._retry,
            )
        if len(data) != stop - start:
            raise OSError(f"{uri}: asked for {stop - start} bytes from byte {start} on, the server "
                          f"sent {len(data)}")  # fmt: skip
        return data

    def find(self, prefix: str) -> Iterator[StoredFile]:
        """All objects whose URIs start so, but for the marks of folders."""
        bucket, name = _parts(prefix)
        with _errors_named(prefix):
            for blob in self._client.list_blobs(bucket, prefix=name, retry=self._retry):
                if not blob.name.endswith("/"):
                    yield StoredFile(f"gs://{bucket}/{blob.name}", blob.size)

    def upload(self, path: str, uri: str) -> None:
        """Puts a local file there as an object, up to 8 MiB by one request."""
        with _errors_named(uri):
            _again_from_the_start(self._blob(uri).upload_from_filename)(
                path,
                content_type=_CONTENT_TYPE,
                retry=self._retry.with_timeout(_UPLOAD_SECONDS),
            )

    def create(self, uri: str, data: bytes) -> bool:
        """Puts a small object there unless there is one; gives whether it did."""
        from google.api_core.exceptions import PreconditionFailed

        blob = self._blob(uri)
        blob.metadata = attempt = {"attempt": uuid.uuid4().hex}
        with _errors_named(uri):
            try:
                blob.upload_from_string(
                    data,
                    content_type=_CONTENT_TYPE,
                    if_generation_match=0,
                    retry=self._retry.with_timeout(_UPLOAD_SECONDS),
                )
            except PreconditionFailed:
                # It may be our own, if the answer to it was lost.
                blob.reload(retry=self._retry)
                return bool(blob.metadata == attempt)
        return True

    def delete(self, uris: Iterable[str]) -> None:
        """Deletes objects, those that are there."""
        for uri in uris:
            with contextlib.suppress(FileNotFoundError), _errors_named(uri):
                self._blob(uri).delete(retry=self._retry)

    def _blob(self, uri: str) -> Any:
        bucket, name = _parts(uri)
        return self._client.bucket(bucket).blob(name)


def _gave_up(error: BaseException) -> bool:
    from google.api_core.exceptions import RetryError

    return isinstance(error, RetryError)


# A request of a large upload whose answer was lost is sent again as it was, which a server may
# refuse as often as it comes; another upload it takes.
_again_from_the_start = retry.with_exponential_backoff(
    num_retries=2, initial_delay_secs=1, retry_filter=_gave_up
)


def _parts(uri: str) -> tuple[str, str]:
    bucket, _, name = uri.removeprefix("gs://").partition("/")
    return bucket, name


@contextlib.contextmanager
def _errors_named(uri: str) -> Iterator[None]:
    """Raises Google's errors as those of files, which name the object."""
    from google.api_core.exceptions import GoogleAPIError, NotFound, PreconditionFailed
    from google.auth.exceptions import GoogleAuthError

    try:
        yield
    except NotFound as error:
        raise FileNotFoundError(f"{uri}: no such object, or no such bucket") from error
    except PreconditionFailed as error:
        raise replaced(uri) from error
    except (GoogleAPIError, GoogleAuthError) as error:
        raise OSError(f"{uri}: {error}") from error
