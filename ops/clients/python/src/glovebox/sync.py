"""The client of a program without an event loop, and of notebooks, whose loop is not ours to use.

All of it is `AsyncGlovebox` in a thread of its own. The caller's iterators and the results are the caller's thread's.
"""

import asyncio
import threading
from collections import deque
from collections.abc import Coroutine, Iterable, Iterator
from concurrent.futures import Future
from typing import Any, TypeVar

from typing_extensions import Self, Unpack

from ._schema.fields import JobFields
from .client import AsyncGlovebox, Window
from .models import JobResult, Program

T = TypeVar("T")


class Glovebox:
    """A client of Glovebox that waits for its answers. Threads may share it; see `AsyncGlovebox` for the URLs."""

    def __init__(self, url: str | None = None, *, api_key: str | None = None, redis_url: str | None = None) -> None:
        """Says where Glovebox is."""
        self._client = AsyncGlovebox(url, api_key=api_key, redis_url=redis_url)
        self._loop = asyncio.new_event_loop()
        # Whoever forgets `close` is not kept from ending.
        self._thread = threading.Thread(target=self._loop.run_forever, name="glovebox", daemon=True)
        self._thread.start()

    @classmethod
    def from_env(cls) -> Self:
        """A client of the Glovebox that the environment names."""
        return cls()

    def submit(self, program: Program, **fields: Unpack[JobFields]) -> str:
        """Hands a job over and returns its id, once it can't be lost any more."""
        return self._result(self._client.submit(program, **fields))

    def wait(self, job_id: str, timeout: float | None = None) -> JobResult:
        """The result of a job, as soon as it is there. Servers may come and go meanwhile.

        Raises `NotDone` when it is not there within `timeout` seconds.
        """
        return self._result(self._client.wait(job_id, timeout))

    def result(self, job_id: str) -> JobResult | None:
        """The result of a job, if it is there."""
        return self._result(self._client.result(job_id))

    def run(self, program: Program, **fields: Unpack[JobFields]) -> JobResult:
        """Runs a program and returns what became of it."""
        return self._result(self._client.run(program, **fields))

    def cancel(self, job_id: str) -> None:
        """Stops a job, wherever it is. Its result says so, unless it was done before."""
        self._result(self._client.cancel(job_id))

    def map(
        self,
        programs: Iterable[Program],
        *,
        concurrency: int = 64,
        progress: bool = False,
        **fields: Unpack[JobFields],
    ) -> Iterator[JobResult]:
        """The results of many programs, in their order, while at most `concurrency` of them are under way.

        It holds a window of the programs and never all. Whatever is temporary it tries again: for a minute where a
        server is away, for as long as it takes where the fleet is busy.
        """
        futures: deque[Future[JobResult]] = deque()
        with Window(self._client, programs, concurrency, progress, fields) as window:
            try:
                for job in window.jobs:
                    futures.append(self._start(window.run(job)))
                    if len(futures) >= window.size:
                        yield futures.popleft().result()
                while futures:
                    yield futures.popleft().result()
            finally:
                for future in futures:
                    future.cancel()

    def close(self) -> None:
        """Ends all connections and the thread. The client is of no use then."""
        if self._loop.is_closed():
            return
        self._result(self._client.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _start(self, work: Coroutine[Any, Any, T]) -> "Future[T]":
        return asyncio.run_coroutine_threadsafe(work, self._loop)

    def _result(self, work: Coroutine[Any, Any, T]) -> T:
        future = self._start(work)
        try:
            return future.result()
        except BaseException:
            # Interrupted: what nobody waits for any more need not go on.
            future.cancel()
            raise

    def __enter__(self) -> Self:
        """The client itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Ends all connections."""
        self.close()
