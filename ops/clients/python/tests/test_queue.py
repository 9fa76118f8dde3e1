"""The way by RabbitMQ and Redis, with a real runner."""

import asyncio
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import aiormq
import pytest
import redis
from conftest import Fleet
from services import Runner

from glovebox import (
    AsyncGlovebox,
    Checker,
    Glovebox,
    GloveboxError,
    InvalidJob,
    Job,
    NoSuchLane,
    NotDone,
    Tolerance,
    Unavailable,
)
from glovebox._queue.dial import without_password
from glovebox._queue.message import Message
from glovebox._schema.names import JOBS_EXCHANGE, state_key


def test_a_program_becomes_a_result(box: Glovebox) -> None:
    result = box.run(
        "import sys; print(int(input()) * 7); sys.exit(3)", language="python", stdin="6\n", metadata={"a": "b"}
    )
    assert (result.status, result.exit_code, result.stdout) == ("failed", 3, "42\n")
    assert result.metadata == {"a": "b"}
    assert result.times.queue_ms is not None
    assert not result.passed


def test_output_that_is_no_text_comes_back_whole(box: Glovebox) -> None:
    result = box.run(r"import sys; sys.stdout.buffer.write(b'\xff\x00')", language="python")
    assert result.stdout_bytes == b"\xff\x00"


def test_what_the_runner_finds_wrong_is_a_result(box: Glovebox) -> None:
    result = box.run("", language="klingon")
    assert result.status == "rejected"
    assert result.error is not None
    assert "klingon" in result.error.message


def test_tests_are_judged_one_by_one(box: Glovebox) -> None:
    tests = [
        {"name": "1", "stdin": "1\n", "expected_stdout": "2"},
        {"name": "2", "stdin": "2\n", "expected_stdout": "5"},
    ]
    result = box.run("print(int(input()) * 2)", language="python", tests=tests)
    assert [test.status for test in result.tests] == ["succeeded", "failed"]


def test_outputs_may_be_judged_by_a_checker_or_within_a_tolerance(box: Glovebox) -> None:
    tests: list[Mapping[str, Any]] = [
        {"name": "near", "expected_stdout": "3.1", "compare": "floats", "tolerance": Tolerance(absolute=0.1)},
        {"name": "far", "expected_stdout": "3.1", "compare": "floats"},
        {"name": "checked", "compare": "checker"},
    ]
    checker = Checker(language="python", code="import sys; sys.exit('3.14' not in open(sys.argv[2]).read())")
    result = box.run("print(3.14)", language="python", tests=tests, checker=checker)
    assert [test.status for test in result.tests] == ["succeeded", "failed", "succeeded"]


def test_whoever_waits_late_gets_the_result_as_well(box: Glovebox) -> None:
    job_id = box.submit("print(1)", language="python")
    first = box.wait(job_id)
    assert box.wait(job_id, timeout=5) == first == box.result(job_id)


def test_many_may_wait_for_one_job(box: Glovebox) -> None:
    job = Job(language="python", code="input()")
    with ThreadPoolExecutor(8) as threads:
        waiters = [threads.submit(box.wait, job.id) for _ in range(8)]
        box.submit(job)
        assert {waiter.result().id for waiter in waiters} == {job.id}


def test_an_id_that_is_sent_twice_runs_once(box: Glovebox) -> None:
    job = Job(language="python", code="import time; print(time.time_ns())")
    first = box.run(job)
    assert box.run(job).stdout == first.stdout
    # It is not even sent: this lane would be an error.
    box.submit(job.model_copy(update={"lane": "nobody"}))
    # A copy while the first is in its queue, too.
    job = Job(language="python", code="import time; print(time.time_ns())")
    with ThreadPoolExecutor(4) as threads:
        outputs = {result.stdout for result in threads.map(lambda _: box.run(job), range(4))}
    assert len(outputs) == 1


def state_of(fleet: Fleet, job: Job) -> bytes | None:
    with redis.Redis.from_url(fleet.redis_url) as store:
        state = store.hget(state_key(job.id), "state")
        assert state is None or isinstance(state, bytes)
        return state


def test_a_lane_that_nobody_serves_is_an_error_and_leaves_no_mark(fleet: Fleet, box: Glovebox) -> None:
    job = Job(language="python", code="", lane="nobody")
    with pytest.raises(NoSuchLane, match="glovebox runner --lane nobody"):
        box.submit(job)
    assert state_of(fleet, job) is None
    assert box.run(job.model_copy(update={"lane": "default"})).status == "succeeded"
    assert state_of(fleet, job) == b"done"


def test_a_message_is_persistent_and_the_first_copy_says_so(servers: Fleet) -> None:
    async def main() -> None:
        connection = await aiormq.connect(servers.amqp_url)
        channel = await connection.channel()
        await channel.exchange_declare(JOBS_EXCHANGE, exchange_type="direct", durable=True)
        queue = (await channel.queue_declare(exclusive=True)).queue
        assert queue is not None
        await channel.queue_bind(queue, JOBS_EXCHANGE, routing_key="looked-at")
        job = Job(language="python", code="print(1)", lane="looked-at")
        async with AsyncGlovebox(servers.amqp_url, redis_url=servers.redis_url) as box:
            seen = []
            for _ in range(2):
                await box.submit(job)
                message = await channel.basic_get(queue, no_ack=True)
                assert (message.body, message.routing_key) == (job.to_wire(), "looked-at")
                properties = message.header.properties
                seen.append((properties, dict[str, Any](properties.headers or {})))
            await box.cancel(job.id)
        await connection.close()
        for properties, headers in seen:
            assert (properties.message_id, properties.delivery_mode) == (job.id, 2)
            assert properties.content_type == "application/json"
            assert properties.timestamp is not None
            assert abs(headers["x-enqueued-at-ms"] / 1000 - properties.timestamp.timestamp()) <= 1
        assert [headers.get("x-first-copy") for _, headers in seen] == [True, None]

    asyncio.run(main())


def test_what_may_have_arrived_is_no_first_copy_any_more() -> None:
    message = Message.of_job(Job(language="python", code=""), 1, is_first=True)
    assert (message.properties().headers or {}).get("x-first-copy") is True
    message.may_have_arrived = True
    assert "x-first-copy" not in (message.properties().headers or {})


def test_time_is_up_while_the_job_goes_on(box: Glovebox) -> None:
    job_id = box.submit("input()", language="python", lane="default", id="never-" + Job(language="a", code="").id)
    box.wait(job_id)
    began = time.monotonic()
    with pytest.raises(NotDone):
        box.wait("nobody-sent-this", timeout=0.2)
    assert time.monotonic() - began < 5


def test_a_queued_job_is_cancelled_at_once(servers: Fleet) -> None:
    with servers.client() as box:
        job = Job(language="python", code="print(1)", lane="cancelled", metadata={"a": "b"})
        with Runner(servers.amqp_url, servers.redis_url, "--slots", "1", "--lane", "cancelled"):
            pass
        box.submit(job)
        box.cancel(job.id)
        result = box.wait(job.id, timeout=5)
        assert (result.status, result.metadata, result.attempt) == ("cancelled", {"a": "b"}, 1)
        assert result.times.queue_ms is not None
        assert box.run(job) == result


def test_a_running_job_is_stopped(box: Glovebox) -> None:
    job_id = box.submit("import time\nwhile True: time.sleep(1)", language="python")
    box.cancel(job_id)
    assert box.wait(job_id, timeout=30).status == "cancelled"


def test_servers_that_are_away_are_named_without_their_passwords() -> None:
    urls = "amqp://u:s3cret@127.0.0.1:1/%2f", "redis://:s3cret@127.0.0.1:1/0"
    with Glovebox(urls[0], redis_url=urls[1]) as box, pytest.raises(Unavailable) as raised:
        box.run("", language="python")
    assert "redis://127.0.0.1:1/0" in str(raised.value)
    assert "s3cret" not in str(raised.value)


def test_a_rabbitmq_that_is_away_is_named_and_leaves_no_mark(fleet: Fleet) -> None:
    job = Job(language="python", code="")
    with Glovebox("amqp://u:s3cret@127.0.0.1:1/%2f", redis_url=fleet.redis_url) as box:
        with pytest.raises(Unavailable, match=r"amqp://u@127\.0\.0\.1:1/%2f") as raised:
            box.submit(job)
        assert state_of(fleet, job) is None
        assert "s3cret" not in str(raised.value)


def test_urls_are_shown_as_the_rest_of_glovebox_shows_them() -> None:
    for url, shown in [
        ("amqp://u:s3cret@h:5672/%2f", "amqp://u@h:5672/%2f"),
        ("amqp://u:s3/cr@et@h/v", "amqp://u@h/v"),
        ("redis://:s3cret@h:6379/0", "redis://h:6379/0"),
        ("redis://h:6379/0", "redis://h:6379/0"),
        ("amqp://u:x@h/v?password=s3cret", "amqp://u@h/v"),
        ("u:s3cret@h", "(not a URL)"),
        ("", "(not a URL)"),
    ]:
        assert without_password(url) == shown


def test_urls_that_say_too_little_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GLOVEBOX_URL", "GLOVEBOX_AMQP_URL", "GLOVEBOX_REDIS_URL"):
        monkeypatch.delenv(name, raising=False)
    for url, redis_url in [
        (None, None),
        ("amqp://h/", None),
        ("ftp://h/", None),
        ("amqp://h/", "h:1"),
        ("amqp://h/", "rediss://h/0?ssl_cert_reqs=none"),
    ]:
        with pytest.raises(GloveboxError, match=r"GLOVEBOX_|redis://"):
            Glovebox(url, redis_url=redis_url)


def test_the_environment_names_the_servers(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GLOVEBOX_URL", raising=False)
    monkeypatch.setenv("GLOVEBOX_AMQP_URL", fleet.amqp_url)
    monkeypatch.setenv("GLOVEBOX_REDIS_URL", fleet.redis_url)
    with Glovebox.from_env() as box:
        assert box.run("", language="python").passed


def test_it_works_where_a_loop_runs_already(box: Glovebox) -> None:
    async def cell() -> None:
        assert box.run("", language="python").passed
        assert [result.passed for result in box.map(["", "1/0"], language="python")] == [True, False]

    asyncio.run(cell())


def test_the_asynchronous_client_does_the_same(fleet: Fleet) -> None:
    async def main() -> None:
        async with AsyncGlovebox(fleet.amqp_url, redis_url=fleet.redis_url) as box:
            assert (await box.run("print(1)", language="python")).stdout == "1\n"
            results = [result.stdout async for result in box.map(["print(1)", "print(2)"], language="python")]
            assert results == ["1\n", "2\n"]
            job_id = await box.submit("", language="python")
            assert (await box.wait(job_id)) == (await box.result(job_id))
            with pytest.raises(InvalidJob):
                await box.run("", language="")

    asyncio.run(main())
