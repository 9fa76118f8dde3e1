"""Where both servers are, and one connection pool to Redis.

No error of it may show a password, nor anything of a URL that can't be taken apart.
"""

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from importlib import resources
from typing import Any

import redis.asyncio as redis
from redis.exceptions import (
    AuthenticationError,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
)

from .._tls import authorities
from ..errors import GloveboxError, Unavailable

ANSWER_WITHIN = 5.0
"""Seconds for an answer of Redis."""
CONNECTIONS = 16


def without_password(url: str) -> str:
    """`amqp://user:secret@host/vhost` as `amqp://user@host/vhost`, without the query; nothing of what is no URL."""
    scheme, colon, rest = url.partition("://")
    if not colon:
        return "(not a URL)"
    # A password may hold a raw `/` or `@`: the host begins after the last `@`.
    user_info, _, place = rest.partition("?")[0].partition("#")[0].rpartition("@")
    user = user_info.partition(":")[0]
    return f"{scheme}://{user}@{place}" if user else f"{scheme}://{place}"


class Store:
    """Redis: for each question a connection of a pool, made when it is needed and again when it was lost."""

    def __init__(self, url: str) -> None:
        """Nothing is connected yet."""
        self.url = without_password(url)
        options: dict[str, Any] = {"socket_timeout": ANSWER_WITHIN, "socket_connect_timeout": ANSWER_WITHIN}
        if url.startswith("rediss://"):
            options["ssl_ca_certs"] = authorities()
        try:
            # It hands no connection out twice, so more than it has wait for their turn.
            self._pool = redis.BlockingConnectionPool.from_url(
                url, max_connections=CONNECTIONS, timeout=None, **options
            )
            self._lines = redis.ConnectionPool.from_url(url, protocol=2, **options)
        except ValueError:
            hint = "write redis://user:password@host:6379/0, or rediss:// for TLS"
            raise GloveboxError(f"{self.url} is no URL of a Redis", hint) from None
        self._redis = redis.Redis(connection_pool=self._pool)
        folder = resources.files(__package__)
        scripts = {name: (folder / f"{name}.lua").read_text() for name in ("mark", "unmark", "cancel")}
        self._scripts = {name: self._redis.register_script(script) for name, script in scripts.items()}

    async def run(self, script: str, keys: Sequence[str], arguments: Sequence[str | int], doing: str) -> str:
        """Runs a script: what it does, it does in one step."""
        with self._telling(doing):
            answer = await self._scripts[script](keys=keys, args=arguments)
        return _text(answer)

    async def fields(self, key: str, doing: str) -> dict[str, str]:
        """All of a hash."""
        with self._telling(doing):
            found = await self._redis.hgetall(key)
        return {_text(name): _text(value) for name, value in found.items()}

    @asynccontextmanager
    async def pipeline(self, doing: str) -> AsyncIterator["redis.client.Pipeline"]:
        """Commands that share a round trip."""
        with self._telling(doing):
            async with self._redis.pipeline(transaction=False) as pipeline:
                yield pipeline

    def line(self) -> "redis.Connection":
        """A connection to listen on, not connected yet."""
        line: redis.Connection = self._lines.make_connection()  # type: ignore[no-untyped-call]
        return line

    @contextmanager
    def _telling(self, doing: str) -> Iterator[None]:
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
        await self._redis.aclose()
        await self._pool.disconnect()


def _text(answer: object) -> str:
    return answer.decode() if isinstance(answer, bytes) else str(answer)
