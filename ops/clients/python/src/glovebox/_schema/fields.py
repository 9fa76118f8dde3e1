# Written by `generate`: run it instead of editing this.
from collections.abc import Mapping, Sequence
from datetime import datetime as AwareDatetime
from typing import Any, TypedDict

from .job import File, Limits, Network, Proxy, Test


class JobFields(TypedDict, total=False):
    """The fields of a job, see `Job`."""

    args: Sequence[str]
    entrypoint: str | None
    env: Mapping[str, str]
    expires_at: AwareDatetime | None
    files: Sequence[File | Mapping[str, Any]]
    id: str
    lane: str
    language: str
    limits: Limits | Mapping[str, Any] | None
    metadata: Mapping[str, str]
    network: Network
    outputs: Sequence[str]
    profile: str | None
    proxy: Proxy | Mapping[str, Any] | None
    stdin: str
    stream: bool
    tenant: str
    tests: Sequence[Test | Mapping[str, Any]]
