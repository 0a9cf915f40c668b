"""An S3 server on this machine (moto), for the processes of a test and those that they start."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import boto3
import pytest
from moto.server import ThreadedMotoServer
from s3fs import S3FileSystem

from open_ml_embed.core import object_store

BUCKET = "corpus"


@contextmanager
def serving_bucket() -> Iterator[str]:
    """Serve an empty bucket and yield its address; the environment names the server while the block runs."""
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    settings = {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "any",
        "AWS_SECRET_ACCESS_KEY": "any",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in settings.items():
            patch.setenv(name, value)
        bucket().create()
        _forget()
        try:
            yield f"s3://{BUCKET}"
        finally:
            _forget()
            server.stop()


def _forget() -> None:
    """Let this process connect anew: another server has another address."""
    object_store._connected.cache_clear()
    S3FileSystem.clear_instance_cache()


def bucket():
    """Return the bucket by another client than the project's."""
    return boto3.resource("s3", endpoint_url=os.environ["AWS_ENDPOINT_URL"]).Bucket(BUCKET)


def objects(prefix: str) -> dict[str, bytes]:
    """Return all objects below a prefix, by their names in the bucket."""
    return {entry.key: entry.get()["Body"].read() for entry in bucket().objects.filter(Prefix=prefix)}
