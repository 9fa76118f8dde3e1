"""The two ways to Glovebox, and which of them a URL means.

Neither may do more than one attempt at an order, but for a connection that had broken before: what is tried again, and
for how long, is the caller's to say.
"""

import os
from typing import Protocol

from .errors import GloveboxError
from .models import Job, JobResult

HINT = "set GLOVEBOX_URL for HTTP, or GLOVEBOX_AMQP_URL and GLOVEBOX_REDIS_URL for the queue"


class Transport(Protocol):
    """A way to Glovebox. Nothing is connected before it is used; all is used in one event loop."""

    async def submit(self, job: Job) -> None:
        """Hands a job over; returns once it can't be lost any more."""

    async def wait(self, job_id: str, timeout: float | None) -> JobResult | None:
        """The result, as soon as it is there; `None` when it is not within so many seconds."""

    async def run(self, job: Job) -> JobResult:
        """Submits and waits."""

    async def result(self, job_id: str) -> JobResult | None:
        """The result, if it is there."""

    async def cancel(self, job_id: str) -> None:
        """Stops a job, wherever it is. Its result says so, unless it was done before."""

    async def close(self) -> None:
        """Ends all connections."""


def connect(url: str | None, redis_url: str | None, api_key: str | None) -> Transport:
    """The way that the URLs, or else the environment, name."""
    if url is None:
        url = os.environ.get("GLOVEBOX_URL") or os.environ.get("GLOVEBOX_AMQP_URL")
    scheme = (url or "").partition("://")[0].lower()
    if url and scheme in ("http", "https"):
        from .http import Http

        return Http(url, api_key or os.environ.get("GLOVEBOX_API_KEY"))
    if url and scheme in ("amqp", "amqps"):
        redis_url = redis_url or os.environ.get("GLOVEBOX_REDIS_URL")
        if not redis_url:
            raise GloveboxError("results are read from Redis, and it has no URL", HINT)
        try:
            from ._queue import Queue
        except ImportError as error:
            raise GloveboxError(f"{error.name} is not installed", "pip install 'glovebox[queue]'") from error
        return Queue(url, redis_url)
    raise GloveboxError(
        "no URL says where Glovebox is" if not url else "the URL is none of http, https, amqp, amqps", HINT
    )
