# Written by `generate`: run it instead of editing this.
from collections.abc import Mapping, Sequence
from datetime import datetime as AwareDatetime
from typing import Any, TypedDict

from .job import Callback, Checker, File, Limits, Network, Proxy, Test


class JobFields(TypedDict, total=False):
    """The fields of a job, see `Job`."""

    args: Sequence[str]
    callback: Callback | Mapping[str, Any] | None
    checker: Checker | Mapping[str, Any] | None
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
    parallel: int | None
    profile: str | None
    proxy: Proxy | Mapping[str, Any] | None
    stdin: str
    stop_on_failure: bool
    stream: bool
    tenant: str
    tests: Sequence[Test | Mapping[str, Any]]
