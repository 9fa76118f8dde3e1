"""From URLs to connections of Redis: a server, or whatever Sentinels take for the master just now.

It must never leave a certificate unchecked, whatever a URL asks for, nor show a password, nor anything of a URL that
can't be taken apart.
"""

from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import redis.asyncio as redis
from redis.asyncio.sentinel import Sentinel, SentinelConnectionPool

from .._tls import authorities
from ..errors import GloveboxError

ANSWER_WITHIN = 5.0
"""Seconds for an answer of Redis."""
ASK_WITHIN = 2.0
"""Seconds for a Sentinel's. A dead one costs each connect as much."""
SENTINEL_PORT = 26379
FORMS = "redis://user:password@host:6379/0 or redis+sentinel://user:password@host:26379,host:26379/NAME-OF-THE-MASTER/0"


def without_password(url: str) -> str:
    """`amqp://user:secret@host/vhost` as `amqp://user@host/vhost`, without the query; nothing of what is no URL."""
    scheme, colon, rest = url.partition("://")
    if not colon:
        return "(not a URL)"
    # A password may hold a raw `/` or `@`: the host begins after the last `@`.
    user_info, _, place = rest.partition("?")[0].partition("#")[0].rpartition("@")
    user = user_info.partition(":")[0]
    return f"{scheme}://{user}@{place}" if user else f"{scheme}://{place}"


def redis_pool(url: str, **options: Any) -> "redis.ConnectionPool":  # noqa: ANN401
    """A pool that has not connected yet."""
    options |= {"socket_timeout": ANSWER_WITHIN, "socket_connect_timeout": ANSWER_WITHIN}
    try:
        if "+sentinel://" in url:
            return _sentinel_pool(url, options)
        if "?" in url or "#" in url:
            raise ValueError
        return redis.ConnectionPool.from_url(url, **_tls_options(url), **options)
    except ValueError:
        why = f"{without_password(url)} is no URL of a Redis"
        raise GloveboxError(why, f"write {FORMS}, with rediss for TLS, and %3F and %23 for ? and # in it") from None


def _tls_options(url: str) -> dict[str, Any]:
    if not url.startswith("rediss"):
        return {}
    return {"ssl_ca_certs": authorities(), "ssl_cert_reqs": "required", "ssl_check_hostname": True}


def _sentinel_pool(url: str, options: dict[str, Any]) -> "redis.ConnectionPool":
    """The user and the password are the master's; the Sentinels' own are in the query."""
    # One host at a time is as much as the library takes apart.
    parts = urlsplit(url)
    login, _, places = parts.netloc.rpartition("@")
    _, name, *db = parts.path.split("/")
    if parts.scheme not in ("redis+sentinel", "rediss+sentinel") or not name or len(db) > 1 or not places:
        raise ValueError
    user, _, password = login.partition(":")
    own = {key: values[-1] for key, values in parse_qs(parts.query, strict_parsing=bool(parts.query)).items()}
    if own.keys() - {"sentinel_user", "sentinel_password"}:
        raise ValueError
    tls = _tls_options(url)
    tls |= {"ssl": True} if tls else {}
    sentinels = Sentinel(  # type: ignore[no-untyped-call]
        [_place(place) for place in places.split(",")],
        sentinel_kwargs={
            "username": own.get("sentinel_user"),
            "password": own.get("sentinel_password"),
            "socket_timeout": ASK_WITHIN,
            "socket_connect_timeout": ASK_WITHIN,
            **tls,
        },
    )
    master = {"username": unquote(user) or None, "password": unquote(password) or None, "db": int(*db or "0")}
    options |= master | tls
    return SentinelConnectionPool(unquote(name), sentinels, **options)  # type: ignore[no-untyped-call]


async def close_pool(pool: "redis.ConnectionPool") -> None:
    """Ends its connections, and those to Sentinels."""
    await pool.disconnect()
    if isinstance(pool, SentinelConnectionPool):
        for sentinel in pool.sentinel_manager.sentinels:
            await sentinel.aclose()


def _place(text: str) -> tuple[str, int]:
    parts = urlsplit(f"//{text}")
    if not parts.hostname:
        raise ValueError
    return parts.hostname, parts.port or SENTINEL_PORT
