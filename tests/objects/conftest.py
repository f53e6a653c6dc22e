"""A real S3 server on loopback, one for the session, and buckets of their own for each test."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import boto3
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

KEY_ID, SECRET = "AKIATESTTESTTEST", "secret-that-no-log-may-show"


@pytest.fixture(scope="session")
def endpoint() -> Iterator[str]:
    """Its address; the process ends with the session."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-W", "ignore", "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    quiet = subprocess.DEVNULL
    address = f"http://127.0.0.1:{port}"
    with subprocess.Popen(command, stdout=quiet, stderr=quiet, env={**os.environ, "MOTO_S3_ALLOW": "1"}) as server:
        try:
            _wait_for(f"{address}/moto-api/", server)
            yield address
        finally:
            server.terminate()


def _wait_for(address: str, server: subprocess.Popen[bytes]) -> None:
    for _ in range(600):
        assert server.poll() is None
        try:
            with urllib.request.urlopen(address, timeout=5):  # noqa: S310 our own server
                return
        except OSError:
            time.sleep(0.1)
    raise TimeoutError(address)


class Bucket:
    """A bucket, changed behind the back of the books."""

    def __init__(self, client: Any, name: str) -> None:
        self._client = client
        self.name = name
        client.create_bucket(Bucket=name)

    def keep_versions(self) -> None:
        self._client.put_bucket_versioning(Bucket=self.name, VersioningConfiguration={"Status": "Enabled"})

    def put(self, key: str, data: bytes) -> None:
        self._client.put_object(Bucket=self.name, Key=key, Body=data)

    def delete(self, key: str) -> None:
        self._client.delete_object(Bucket=self.name, Key=key)

    def uri(self, key: str) -> str:
        return f"s3://{self.name}/{key}"


@pytest.fixture
def bucket(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    """An empty bucket; the environment holds its credentials."""
    variables = {
        "AWS_ACCESS_KEY_ID": KEY_ID,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_ALLOW_HTTP": "true",
        "NO_PROXY": "127.0.0.1",
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return Bucket(boto3.client("s3", endpoint_url=endpoint), f"logs-{uuid4().hex[:12]}")
