"""Redis: questions, scripts, and connections to listen on.

It must never let a failure through that does not say what was being done, and whether waiting may mend it.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from importlib import resources

import redis.asyncio as redis
from redis.exceptions import (
    AuthenticationError,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
)

from ..errors import GloveboxError, Unavailable
from .dial import close_pool, redis_pool, without_password

CONNECTIONS = 16
"""At one time. Each carries one question; more of these wait for their turn."""


class Store:
    """Redis: for each question a connection of a pool, made when it is needed and again when it was lost."""

    def __init__(self, url: str) -> None:
        """Nothing is connected yet."""
        self.url = without_password(url)
        self._pool, self._lines = redis_pool(url), redis_pool(url, protocol=2)
        self._places = asyncio.Semaphore(CONNECTIONS)
        self._redis = redis.Redis(connection_pool=self._pool)
        folder = resources.files(__package__)
        scripts = {name: (folder / f"{name}.lua").read_text() for name in ("mark", "unmark", "cancel")}
        self._scripts = {name: self._redis.register_script(script) for name, script in scripts.items()}

    async def run(self, script: str, keys: Sequence[str], arguments: Sequence[str | int], doing: str) -> list[str]:
        """Runs a script, and returns the words of its answer. What it does, it does in one step."""
        async with self._telling(doing):
            answer = await self._scripts[script](keys=keys, args=arguments)
        return [_text(word) for word in (answer if isinstance(answer, list) else [answer])]

    async def fields(self, key: str, doing: str) -> dict[str, str]:
        """All of a hash."""
        async with self._telling(doing):
            found = await self._redis.hgetall(key)
        return {_text(name): _text(value) for name, value in found.items()}

    @asynccontextmanager
    async def pipeline(self, doing: str) -> AsyncIterator["redis.client.Pipeline"]:
        """Commands that share a round trip."""
        async with self._telling(doing), self._redis.pipeline(transaction=False) as pipeline:
            yield pipeline

    def line(self) -> "redis.Connection":
        """A connection to listen on, not connected yet."""
        line: redis.Connection = self._lines.make_connection()  # type: ignore[no-untyped-call]
        return line

    @asynccontextmanager
    async def _telling(self, doing: str) -> AsyncIterator[None]:
        async with self._places:
            try:
                yield
            except (RedisError, OSError) as error:
                raise self.failed(error, doing) from error

    def failed(self, error: Exception, doing: str) -> GloveboxError:
        """What failed, and whether waiting may mend it."""
        message = f"Redis at {self.url} failed while {doing}: {error}"
        if isinstance(error, AuthenticationError | NoPermissionError):
            return GloveboxError(message, "the user and the password in GLOVEBOX_REDIS_URL have to allow it")
        if isinstance(error, ReadOnlyError):
            return Unavailable(message, "it is a replica: GLOVEBOX_REDIS_URL has to name the master")
        if isinstance(error, OutOfMemoryError):
            return Unavailable(message, "it is full: see `redis-cli info memory`, and raise its maxmemory")
        return Unavailable(message, "start it, or set GLOVEBOX_REDIS_URL")

    async def close(self) -> None:
        """Ends all connections."""
        for pool in (self._pool, self._lines):
            await close_pool(pool)


def _text(answer: object) -> str:
    return answer.decode() if isinstance(answer, bytes) else str(answer)
