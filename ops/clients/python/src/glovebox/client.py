"""The client of a program that has an event loop.

It must never hold more of a long list than a window, nor hand results back in another order than the programs came in.
"""

import asyncio
import random
import time
from collections import deque
from collections.abc import AsyncIterator, Iterable

from typing_extensions import Self, Unpack

from ._progress import Progress
from ._schema.fields import JobFields
from ._tasks import end
from .errors import Busy, GloveboxError, InvalidJob, NotDone
from .models import Job, JobResult, Program, to_job
from .transport import connect

PATIENCE = 60.0
"""For how many seconds `map` bears a server that is away."""
LONGEST_DELAY = 5.0
AHEAD = 4
"""How many times as many jobs as are in flight may wait for their turn to be handed back."""


class AsyncGlovebox:
    """A client of Glovebox, for use in one event loop. Nothing is connected before it is needed.

    With `http://` or `https://` it speaks to a gateway, and `api_key` is sent along. With `amqp://` or `amqps://` it
    speaks to RabbitMQ, and to Redis at `redis_url`. What is not given is taken from the environment: `GLOVEBOX_URL` or
    else `GLOVEBOX_AMQP_URL`, `GLOVEBOX_REDIS_URL`, `GLOVEBOX_API_KEY`.
    """

    def __init__(self, url: str | None = None, *, api_key: str | None = None, redis_url: str | None = None) -> None:
        """Says where Glovebox is."""
        self._transport = connect(url, redis_url, api_key)

    @classmethod
    def from_env(cls) -> Self:
        """A client of the Glovebox that the environment names."""
        return cls()

    async def submit(self, program: Program, **fields: Unpack[JobFields]) -> str:
        """Hands a job over and returns its id, once it can't be lost any more."""
        job = to_job(program, fields)
        await self._transport.submit(job)
        return job.id

    async def wait(self, job_id: str, timeout: float | None = None) -> JobResult:
        """The result of a job, as soon as it is there. Servers may come and go meanwhile.

        Raises `NotDone` when it is not there within `timeout` seconds.
        """
        result = await self._transport.wait(job_id, timeout)
        if result is None:
            raise NotDone(f"job {job_id} is not done within {timeout} s", "it goes on; wait again")
        return result

    async def result(self, job_id: str) -> JobResult | None:
        """The result of a job, if it is there."""
        return await self._transport.result(job_id)

    async def run(self, program: Program, **fields: Unpack[JobFields]) -> JobResult:
        """Runs a program and returns what became of it."""
        return await self._run(to_job(program, fields))

    async def _run(self, job: Job) -> JobResult:
        """What a gateway finds wrong with a job is its result, as it is where a runner finds it."""
        try:
            return await self._transport.run(job)
        except InvalidJob as error:
            return JobResult.rejected(job, error.message, error.hint)

    async def cancel(self, job_id: str) -> None:
        """Stops a job, wherever it is. Its result says so, unless it was done before."""
        await self._transport.cancel(job_id)

    async def map(
        self,
        programs: Iterable[Program],
        *,
        concurrency: int = 64,
        progress: bool = False,
        **fields: Unpack[JobFields],
    ) -> AsyncIterator[JobResult]:
        """The results of many programs, in their order, while at most `concurrency` of them are under way.

        It holds a window of the programs and never all. Whatever is temporary it tries again: for a minute where a
        server is away, for as long as it takes where the fleet is busy.
        """
        tasks: deque[asyncio.Task[JobResult]] = deque()
        with Window(self, programs, concurrency, progress, fields) as window:
            try:
                for job in window.jobs:
                    tasks.append(asyncio.create_task(window.run(job)))
                    if len(tasks) >= window.size:
                        yield await tasks.popleft()
                while tasks:
                    yield await tasks.popleft()
            finally:
                await end(tasks)

    async def run_patiently(self, job: Job) -> JobResult:
        """Runs a job, and tries again whatever is temporary: an id that is sent twice runs once."""
        delay, away_since = 0.1, None
        while True:
            began = time.monotonic()
            try:
                return await self._run(job)
            except GloveboxError as error:
                now = time.monotonic()
                if isinstance(error, Busy):
                    away_since = None
                elif away_since is None or now - began > PATIENCE:
                    delay, away_since = 0.1, now
                if not error.is_temporary or (away_since is not None and now - away_since > PATIENCE):
                    raise
                # All jobs that wait for one tenant's rate are told the same time, and one of them is then taken.
                apart = random.uniform(0, min(delay, 1))  # noqa: S311
                await asyncio.sleep(delay if error.retry_after is None else error.retry_after + apart)
                delay = min(2 * delay, LONGEST_DELAY)

    async def close(self) -> None:
        """Ends all connections."""
        await self._transport.close()

    async def __aenter__(self) -> Self:
        """The client itself."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Ends all connections."""
        await self.close()


class Window:
    """What both kinds of `map` share: the jobs to come, how many may run, and the bar."""

    def __init__(
        self, client: AsyncGlovebox, programs: Iterable[Program], concurrency: int, progress: bool, fields: JobFields
    ) -> None:
        """Checks what is the same for all."""
        if concurrency < 1:
            raise ValueError("`concurrency` is at least 1")
        if "id" in fields:
            raise InvalidJob("one `id` for all programs would run only the first", "give each job its own, or none")
        self.size = AHEAD * concurrency
        self.jobs = (to_job(program, fields) for program in programs)
        self._client = client
        self._places = asyncio.Semaphore(concurrency)
        self._progress = Progress(programs, progress)

    async def run(self, job: Job) -> JobResult:
        """One of them, when there is a place."""
        async with self._places:
            result = await self._client.run_patiently(job)
        self._progress.add(result)
        return result

    def __enter__(self) -> Self:
        """Shows the bar."""
        return self

    def __exit__(self, *_: object) -> None:
        """Ends the bar."""
        self._progress.close()
