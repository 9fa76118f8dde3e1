"""Glovebox over HTTP: the way to a gateway.

It must never show the key, and never take a proxy's word for the gateway's: what is no job document is an error.
"""

import asyncio
import contextlib
import email.utils
import time
import urllib.parse

import httpx

from . import _tls
from ._tasks import within
from .errors import (
    Busy,
    GloveboxError,
    InvalidJob,
    NoSuchLane,
    ResultExpired,
    Unauthorized,
    Unavailable,
    UnknownJob,
)
from .models import Job, JobResult

WAIT = 30
"""Seconds that the gateway is asked to hold a request open for a result."""
ANSWER_WITHIN = 15.0
"""Seconds for an answer, besides what it was asked to wait."""
LOOK_AGAIN = 1.0
JSON = "application/json"


class AlreadyDone(GloveboxError):
    """A job can't be cancelled: it has a result."""


class Http:
    """The way to Glovebox by a gateway."""

    def __init__(self, url: str, api_key: str | None) -> None:
        """Nothing is connected yet."""
        try:
            self._base = httpx.URL(url.rstrip("/") + "/")
        except httpx.InvalidURL:
            raise GloveboxError("the URL of the gateway is none", "write https://host:port") from None
        self._url = f"{self._base.scheme}://{self._base.netloc.decode().rpartition('@')[2]}"
        self._client = httpx.AsyncClient(
            base_url=self._base,
            # Plain HTTP has no certificates, and reading the authorities' takes a while.
            verify=_tls.context() if self._base.scheme == "https" else False,
            headers={"Authorization": f"Bearer {api_key}"} if api_key else {},
            timeout=ANSWER_WITHIN,
            # How many jobs are under way is the caller's to say.
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=64),
        )

    async def submit(self, job: Job) -> None:
        """Hands the job over; the gateway answers once it can't be lost any more."""
        await self._send("POST", "v1/jobs", body=job.to_wire())

    async def run(self, job: Job) -> JobResult:
        """Submits and waits."""
        result = _result(job.id, await self._send("POST", "v1/jobs", body=job.to_wire(), wait=WAIT))
        return result or await self._wait(job.id, [])

    async def wait(self, job_id: str, timeout: float | None) -> JobResult | None:
        """The result, as soon as it is there. A gateway may come and go meanwhile."""
        trouble: list[GloveboxError] = []
        try:
            async with within(timeout):
                return await self.result(job_id) or await self._wait(job_id, trouble)
        except asyncio.TimeoutError:
            if trouble:
                raise trouble[-1] from None
            return None

    async def result(self, job_id: str) -> JobResult | None:
        """The result, if it is there."""
        return _result(job_id, await self._send("GET", _path(job_id)))

    async def cancel(self, job_id: str) -> None:
        """Stops a job, wherever it is. To one that was done before nothing happens."""
        with contextlib.suppress(AlreadyDone):
            await self._send("DELETE", _path(job_id))

    async def close(self) -> None:
        """Ends all connections."""
        await self._client.aclose()

    async def _send(self, method: str, path: str, *, wait: int = 0, body: bytes | None = None) -> httpx.Response:
        request = self._client.build_request(
            method,
            path,
            params={"wait": f"{wait}s"} if wait else None,
            content=body,
            headers={"Content-Type": JSON} if body is not None else None,
            timeout=httpx.Timeout(ANSWER_WITHIN, read=ANSWER_WITHIN + wait),
        )
        try:
            try:
                response = await self._client.send(request)
            except httpx.RemoteProtocolError:
                # The gateway has closed a connection that was idle. An id that is sent twice runs once.
                response = await self._client.send(request)
        except httpx.TransportError as error:
            why = f"the gateway at {self._url} cannot be reached: {error!r}"
            raise Unavailable(why, "start it, or set GLOVEBOX_URL; sending the same job again is safe") from error
        if response.is_error:
            raise _problem(response, self._url)
        if response.status_code not in (200, 202) or response.headers.get("Content-Type") != JSON:
            hint = "check GLOVEBOX_URL, and the proxies in between"
            raise GloveboxError(f"what answered at {self._url} is no gateway of Glovebox", hint)
        return response

    async def _wait(self, job_id: str, trouble: list[GloveboxError]) -> JobResult:
        """Asks until the result is there; `trouble` has why there is no answer just now, if there is none."""
        while True:
            began = time.monotonic()
            try:
                result = _result(job_id, await self._send("GET", _path(job_id), wait=WAIT))
                trouble.clear()
                if result is not None:
                    return result
                pause = LOOK_AGAIN
            except GloveboxError as error:
                if not error.is_temporary:
                    raise
                trouble[:] = [error]
                pause = error.retry_after or LOOK_AGAIN
            # A gateway that held the request open may be asked again at once.
            await asyncio.sleep(max(0.0, pause - (time.monotonic() - began)))


def _path(job_id: str) -> str:
    return f"v1/jobs/{urllib.parse.quote(job_id, safe='')}"


def _result(job_id: str, response: httpx.Response) -> JobResult | None:
    """The result, if that is what the gateway answered, and not how far the job is."""
    return None if response.status_code == httpx.codes.ACCEPTED else JobResult.from_wire(job_id, response.content)


def _problem(response: httpx.Response, url: str) -> GloveboxError:
    """What the gateway told (RFC 9457), as an error."""
    try:
        told = response.json()
    except ValueError:
        told = None
    told = told if isinstance(told, dict) else {}
    message = str(told.get("detail") or told.get("title") or f"{url} answered {response.status_code}")
    kind = CODES.get(told.get("code")) or STATUSES.get(response.status_code, GloveboxError)
    return kind(message, str(told.get("hint") or ""), _retry_after(response))


CODES: dict[object, type[GloveboxError]] = {
    "already_done": AlreadyDone,
    "no_such_lane": NoSuchLane,
    "unknown_job": UnknownJob,
}
STATUSES: dict[int, type[GloveboxError]] = {
    **dict.fromkeys((400, 409, 413, 422), InvalidJob),
    **dict.fromkeys((401, 403), Unauthorized),
    **dict.fromkeys((408, 502, 503, 504), Unavailable),
    410: ResultExpired,
    429: Busy,
}


def _retry_after(response: httpx.Response) -> float | None:
    """In seconds; a gateway writes seconds, a proxy may write a date (RFC 9110, 10.2.3)."""
    value = response.headers.get("Retry-After", "")
    if value.isdecimal():
        return float(value)
    with contextlib.suppress(ValueError):
        return max(0.0, email.utils.parsedate_to_datetime(value).timestamp() - time.time())
    return None
