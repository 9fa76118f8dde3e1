"""Jobs of tenants: queues of their own, and limits on what they send."""

import asyncio
import json
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import aiormq
import pytest
import redis
from aiormq.abc import AbstractChannel
from aiormq.exceptions import ChannelNotFoundEntity
from conftest import Fleet

from glovebox import AsyncGlovebox, Busy, Glovebox, InvalidJob, Job, NoSuchLane
from glovebox._queue.message import route
from glovebox._schema.names import (
    CONTROL_EXCHANGE,
    JOBS_EXCHANGE,
    LANE_QUEUE,
    ROUTES_KEY,
    TENANTS_KEY,
    queue,
    queued_key,
    rate_key,
    state_key,
    tenant_key,
)


@pytest.fixture
def store(servers: Fleet) -> Iterator["redis.Redis"]:
    with redis.Redis.from_url(servers.redis_url, decode_responses=True) as store:
        yield store


@pytest.fixture
def tenant(store: "redis.Redis") -> Iterator[str]:
    """One that nobody has heard of. Nothing of it stays."""
    tenant = f"Of.{uuid.uuid4().hex}"
    yield tenant
    for pattern in (f"{tenant_key(tenant)}*", f"glovebox:usage:{tenant}:*"):
        for key in store.scan_iter(pattern, count=10_000):
            store.delete(key)
    store.srem(TENANTS_KEY, tenant)
    for listed, _ in store.zscan_iter(ROUTES_KEY, f"*.{tenant}", count=10_000):
        store.zrem(ROUTES_KEY, listed)


class Lane:
    """A lane whose runners are away, and what they would be told."""

    def __init__(self, channel: AbstractChannel, heard: str) -> None:
        self.name = f"lane-{uuid.uuid4().hex[:8]}"
        self.channel = channel
        self._heard = heard

    async def heard(self) -> list[dict[str, object]]:
        """What the runners were told of this lane, once."""
        told = []
        while (message := await self.channel.basic_get(self._heard, no_ack=True)).delivery_tag:
            told.append(json.loads(message.body))
        return [one for one in told if one.get("lane") == self.name]

    async def taken(self, tenant: str) -> str | None:
        """The id of the job that is next for this tenant."""
        message = await self.channel.basic_get(queue(route(self.name, tenant)), no_ack=True)
        return message.header.properties.message_id if message.delivery_tag else None


@asynccontextmanager
async def idle_lane(fleet: Fleet) -> AsyncIterator[Lane]:
    connection = await aiormq.connect(fleet.amqp_url)
    channel = await connection.channel()
    for exchange, kind in ((JOBS_EXCHANGE, "direct"), (CONTROL_EXCHANGE, "fanout")):
        await channel.exchange_declare(exchange, exchange_type=kind, durable=True)
    heard = (await channel.queue_declare(exclusive=True)).queue
    assert heard is not None
    await channel.queue_bind(heard, CONTROL_EXCHANGE)
    lane = Lane(channel, heard)
    await channel.queue_declare(queue(lane.name), durable=True, arguments={**LANE_QUEUE})
    await channel.queue_bind(queue(lane.name), JOBS_EXCHANGE, routing_key=lane.name)
    try:
        yield lane
    finally:
        await connection.close()


def test_a_tenants_jobs_run_also_those_that_are_sent_while_its_queue_is_made(box: Glovebox, tenant: str) -> None:
    # The runner declares the queue as well: with other settings its session would end.
    results = box.map([f"print({n})" for n in range(10)], language="python", tenant=tenant)
    assert [result.stdout for result in results] == [f"{n}\n" for n in range(10)]


def test_a_tenants_queue_is_made_and_announced_when_it_is_needed(
    servers: Fleet, store: "redis.Redis", tenant: str
) -> None:
    async def main() -> None:
        async with idle_lane(servers) as lane, AsyncGlovebox(servers.amqp_url, redis_url=servers.redis_url) as box:
            announcement = {"version": 1, "lane": lane.name, "tenant": tenant}
            first = await box.submit("", language="python", lane=lane.name, tenant=tenant)
            assert await lane.heard() == [announcement]
            assert await lane.taken(tenant) == first
            second = await box.submit("", language="python", lane=lane.name, tenant=tenant)
            assert await lane.heard() == []
            assert await lane.taken(tenant) == second
            # It is thought to be served, and the message comes back.
            await lane.channel.queue_delete(queue(route(lane.name, tenant)))
            third = await box.submit("", language="python", lane=lane.name, tenant=tenant)
            assert await lane.heard() == [announcement]
            assert await lane.taken(tenant) == third
            # It is there, and was idle for so long that no runner looks at it any more.
            store.zrem(ROUTES_KEY, route(lane.name, tenant))
            fourth = await box.submit("", language="python", lane=lane.name, tenant=tenant)
            assert await lane.heard() == [announcement]
            assert await lane.taken(tenant) == fourth
            # The default tenant's jobs are in the lane's own queue.
            own = await box.submit("", language="python", lane=lane.name)
            assert await lane.heard() == []
            assert await lane.taken("default") == own

    asyncio.run(main())


def test_a_copy_that_came_back_is_a_first_copy_still(servers: Fleet, store: "redis.Redis", tenant: str) -> None:
    async def main() -> None:
        async with idle_lane(servers) as lane, AsyncGlovebox(servers.amqp_url, redis_url=servers.redis_url) as box:
            store.zadd(ROUTES_KEY, {route(lane.name, tenant): time.time() * 1000})
            await box.submit("", language="python", lane=lane.name, tenant=tenant)
            message = await lane.channel.basic_get(queue(route(lane.name, tenant)), no_ack=True)
            assert (message.header.properties.headers or {}).get("x-first-copy") is True

    asyncio.run(main())


def test_no_queue_is_made_in_a_lane_that_nobody_serves(servers: Fleet, store: "redis.Redis", tenant: str) -> None:
    async def is_there(name: str) -> bool:
        connection = await aiormq.connect(servers.amqp_url)
        channel = await connection.channel()
        try:
            await channel.queue_declare(name, passive=True)
        except ChannelNotFoundEntity:
            return False
        finally:
            await connection.close()
        return True

    store.hset(tenant_key(tenant), "max_queued", "1")
    with servers.client() as box:
        # The second time it is thought to be served.
        for _ in range(2):
            job = Job(language="python", code="", lane="nobody", tenant=tenant)
            with pytest.raises(NoSuchLane, match=r"the lane 'nobody'.*glovebox runner --lane nobody`"):
                box.submit(job)
            # Neither a mark nor a place among those that wait is left.
            assert store.hget(state_key(job.id), "state") is None
            assert store.zcard(queued_key(tenant)) == 0
    assert not asyncio.run(is_there(queue(route("nobody", tenant))))


def test_a_tenant_that_has_too_many_waiting_is_busy_until_one_is_gone(
    servers: Fleet, store: "redis.Redis", tenant: str
) -> None:
    async def main() -> None:
        async with idle_lane(servers) as lane, AsyncGlovebox(servers.amqp_url, redis_url=servers.redis_url) as box:
            store.hset(tenant_key(tenant), "max_queued", "1")
            first, second = (Job(language="python", code="", lane=lane.name, tenant=tenant) for _ in range(2))
            await box.submit(first)
            with pytest.raises(Busy, match=f"max_queued.*glovebox tenants set {tenant}`") as raised:
                await box.submit(second)
            assert raised.value.retry_after == 1
            assert not store.exists(state_key(second.id))
            # It is counted once, however often it is sent.
            await box.submit(first)
            await box.cancel(first.id)
            await box.submit(second)

    asyncio.run(main())


def test_a_rate_says_when_it_is_worth_trying_again_and_map_does(
    box: Glovebox, store: "redis.Redis", tenant: str
) -> None:
    store.hset(tenant_key(tenant), mapping={"rate": "0.01", "burst": "1"})
    box.submit("", language="python", tenant=tenant)
    with pytest.raises(Busy, match="its limit rate") as raised:
        box.submit("", language="python", tenant=tenant)
    assert raised.value.retry_after is not None
    assert 50 < raised.value.retry_after <= 100
    store.delete(rate_key(tenant))
    store.hset(tenant_key(tenant), "rate", "10")
    began = time.monotonic()
    assert all(result.passed for result in box.map([""] * 20, language="python", tenant=tenant))
    assert time.monotonic() - began >= 1.8


def test_an_id_is_the_tenants_who_was_first_to_send_it(box: Glovebox, store: "redis.Redis", tenant: str) -> None:
    job = Job(language="python", code="print(1)", tenant=tenant)
    assert box.run(job).passed
    with pytest.raises(InvalidJob, match="another tenant's"):
        box.submit(job.model_copy(update={"tenant": "default"}))
    with pytest.raises(InvalidJob, match="tenant"):
        box.submit("", language="python", tenant="no tenant")
    assert store.hget(state_key(job.id), "tenant") == tenant
