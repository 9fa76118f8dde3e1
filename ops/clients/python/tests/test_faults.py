"""Servers that are killed, frozen and cut while somebody waits."""

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import redis
from conftest import Fleet
from services import Runner, Server, erl

from glovebox import AsyncGlovebox, Glovebox, Job, JobResult, Unavailable
from glovebox._queue import publisher
from glovebox._schema.names import done_channel, result_key

WAITERS = 2000


@contextmanager
def own_redis() -> Iterator[Server]:
    server = Server("redis")
    try:
        yield server
    finally:
        server.end()


def close_connections(fleet: Fleet) -> None:
    listed = f'rabbit_connection_tracking:list(<<"{fleet.vhost}">>)'
    erl(fleet.rabbitmq_folder, f'rabbit_connection_tracking:close_connections({listed}, "test", 0).')


def put(store: "redis.Redis", job_id: str, *, is_told: bool = True) -> None:
    """A result as a runner writes it."""
    result = JobResult.rejected(Job(id=job_id, language="python", code=""), "", "")
    store.set(result_key(job_id), result.model_dump_json())
    if is_told:
        store.publish(done_channel(job_id), result.status)


async def settled(store: "redis.Redis", waiters: int) -> None:
    """Returns once that many are listened for, and one connection for its own sake."""
    while len(store.pubsub_channels()) != waiters + 1:
        await asyncio.sleep(0.01)


def client_of(store_url: str) -> AsyncGlovebox:
    return AsyncGlovebox("amqp://127.0.0.1:1/", redis_url=store_url)


def test_thousands_wait_on_one_connection() -> None:
    async def main(url: str) -> None:
        with redis.Redis.from_url(url) as store:
            async with client_of(url) as box:
                ids = [f"job-{n}" for n in range(WAITERS)]
                waiting = [asyncio.create_task(box.wait(one, 120)) for one in ids]
                await settled(store, WAITERS)
                assert len(store.client_list(_type="pubsub")) == 1
                for one in ids:
                    put(store, one)
                assert [result.id for result in await asyncio.gather(*waiting)] == ids
                # Who has what they waited for is listened for no longer.
                await settled(store, 0)

    with own_redis() as server:
        asyncio.run(main(server.url))


def test_a_cut_connection_loses_no_wake_up() -> None:
    async def main(url: str) -> None:
        with redis.Redis.from_url(url) as store:
            async with client_of(url) as box:
                ids = [f"job-{n}" for n in range(100)]
                waiting = [asyncio.create_task(box.wait(one, 60)) for one in ids]
                await settled(store, 100)
                store.client_kill_filter(_type="pubsub")
                # Nobody hears these.
                for one in ids[:50]:
                    put(store, one)
                await settled(store, 50)
                store.client_kill_filter(_type="normal", skipme=True)
                for one in ids[50:]:
                    put(store, one)
                assert [result.id for result in await asyncio.gather(*waiting)] == ids

    with own_redis() as server:
        asyncio.run(main(server.url))


def test_a_result_that_nobody_announced_is_found() -> None:
    async def main(url: str) -> None:
        with redis.Redis.from_url(url) as store:
            async with client_of(url) as box:
                waiting = asyncio.create_task(box.wait("a", 60))
                await settled(store, 1)
                # Until the look after the answer is over.
                while box._transport._mailbox._look_at:  # type: ignore[attr-defined]
                    await asyncio.sleep(0.01)
                put(store, "a", is_told=False)
                assert (await waiting).id == "a"

    with own_redis() as server:
        asyncio.run(main(server.url))


def test_a_connection_that_was_closed_while_idle_is_no_error(fleet: Fleet) -> None:
    with fleet.client() as box:
        box.submit("", language="python")
        for _ in range(5):
            close_connections(fleet)
            box.submit("", language="python")


def test_whoever_waits_outlives_a_redis_that_restarts() -> None:
    async def main(server: Server) -> None:
        async with client_of(server.url) as box:
            with redis.Redis.from_url(server.url) as store:
                waiting = asyncio.create_task(box.wait("a", 60))
                await settled(store, 1)
            await asyncio.to_thread(server.obey, "kill")
            with pytest.raises(Unavailable, match="Redis at"):
                await box.wait("b", 1)
            await asyncio.to_thread(server.obey, "start")
            with redis.Redis.from_url(server.url) as store:
                put(store, "a")
                assert (await waiting).id == "a"

    with own_redis() as server:
        asyncio.run(main(server))


def test_a_redis_that_freezes_is_noticed_and_left() -> None:
    async def main(server: Server) -> None:
        async with client_of(server.url) as box:
            with redis.Redis.from_url(server.url) as store:
                waiting = asyncio.create_task(box.wait("a", 60))
                await settled(store, 1)
            await asyncio.to_thread(server.obey, "freeze")
            with pytest.raises(Unavailable):
                await box.wait("b", 7)
            await asyncio.to_thread(server.obey, "thaw")
            with redis.Redis.from_url(server.url) as store:
                put(store, "a")
            assert (await waiting).id == "a"

    with own_redis() as server:
        asyncio.run(main(server))


def test_many_programs_outlive_connections_that_are_closed(fleet: Fleet) -> None:
    """By the broker and by Redis, again and again."""
    stop = threading.Event()

    def cut() -> None:
        while not stop.wait(0.3):
            close_connections(fleet)

    cutter = threading.Thread(target=cut)
    with fleet.client() as box:
        programs = [f"print({n})" for n in range(150)]
        results = box.map(programs, language="python", concurrency=8)
        first = next(results)
        cutter.start()
        try:
            outputs = [result.stdout for result in (first, *results)]
        finally:
            stop.set()
            cutter.join()
    assert outputs == [f"{n}\n" for n in range(150)]


def test_a_broker_with_an_alarm_and_one_that_restarts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publisher, "CONFIRM_WITHIN", 5.0)
    with own_redis() as store:
        server = Server("rabbitmq")
        try:
            with Runner(server.url, store.url, "--slots", "1"), Glovebox(server.url, redis_url=store.url) as box:
                assert box.run("", language="python").passed
                erl(server.folder, "vm_memory_monitor:set_vm_memory_high_watermark(0.0).")
                job = Job(language="python", code="")
                began = time.monotonic()
                with pytest.raises(Unavailable, match="alarm of memory or disk"):
                    box.submit(job)
                assert time.monotonic() - began < 10
                # Nor is the queue of a tenant announced, on a connection that is held up or on a new one.
                for _ in range(2):
                    with pytest.raises(Unavailable, match="alarm of memory or disk"):
                        box.submit("", language="python", tenant="new")
                erl(server.folder, "vm_memory_monitor:set_vm_memory_high_watermark(0.4).")
                assert box.run(job).passed
                server.obey("freeze")
                with pytest.raises(Unavailable, match="did not confirm"):
                    box.submit("", language="python")
                server.obey("thaw")
                server.obey("kill")
                with pytest.raises(Unavailable, match="cannot connect"):
                    box.submit("", language="python")
                results = box.map([""] * 5, language="python")
                threading.Timer(1, server.obey, ["start"]).start()
                assert [result.passed for result in results] == [True] * 5
        finally:
            server.end()
