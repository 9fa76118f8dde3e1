"""Many programs: their order, the window, what is tried again."""

import asyncio
from collections.abc import Iterator

import pytest
from conftest import Fleet

from glovebox import AsyncGlovebox, Glovebox, InvalidJob, NoSuchLane, Program
from glovebox.client import AHEAD

SLOW_FIRST = ["import time; time.sleep(0.5); print(0)", *(f"print({n})" for n in range(1, 20))]


def test_results_come_in_the_order_of_the_programs(box: Glovebox) -> None:
    outputs = [int(result.stdout) for result in box.map(SLOW_FIRST, language="python", concurrency=4)]
    assert outputs == list(range(20))


def test_it_reads_no_further_ahead_than_its_window(box: Glovebox) -> None:
    read = 0

    def programs() -> Iterator[str]:
        nonlocal read
        for _ in range(40):
            read += 1
            yield ""

    given = 0
    for result in box.map(programs(), language="python", concurrency=2):
        assert result.passed
        given += 1
        assert read <= given + 2 * AHEAD
    assert given == 40


def test_the_asynchronous_one_reads_no_further_either(fleet: Fleet) -> None:
    read = 0

    def programs() -> Iterator[str]:
        nonlocal read
        for _ in range(20):
            read += 1
            yield ""

    async def main() -> None:
        given = 0
        async with AsyncGlovebox(fleet.amqp_url, redis_url=fleet.redis_url) as box:
            async for result in box.map(programs(), language="python", concurrency=1):
                given += result.passed
                assert read <= given + AHEAD
        assert given == 20

    asyncio.run(main())


def test_a_bar_tells_counts(box: Glovebox, capfd: pytest.CaptureFixture[str]) -> None:
    assert len(list(box.map(["", "1/0"], language="python", progress=True))) == 2
    shown = capfd.readouterr()
    assert "2/2" in shown.err
    assert "succeeded=1" in shown.err
    assert "failed=1" in shown.err
    assert not shown.out


def test_one_wrong_job_does_not_stop_the_others(box: Glovebox) -> None:
    results = list(box.map(["print(1)", "\ud800", "print(2)"], language="python"))
    assert [result.status for result in results] == ["succeeded", "rejected", "succeeded"]


def test_what_is_wrong_for_all_is_told_at_once(box: Glovebox) -> None:
    with pytest.raises(NoSuchLane):
        list(box.map(["", ""], language="python", lane="nobody"))
    with pytest.raises(InvalidJob, match="one `id` for all"):
        list(box.map(["", ""], language="python", id="a"))
    with pytest.raises(ValueError, match="at least 1"):
        list(box.map(["", ""], language="python", concurrency=0))


def test_whoever_stops_early_leaves_nothing_running(box: Glovebox) -> None:
    for result in box.map([""] * 100, language="python", concurrency=2):
        assert result.passed
        break
    assert box.run("", language="python").passed


def test_common_fields_are_those_of_each(box: Glovebox) -> None:
    programs: list[Program] = ["print(input())", {"code": "print(input())", "stdin": "mine"}]
    outputs = [result.stdout for result in box.map(programs, language="python", stdin="ours")]
    assert outputs == ["ours\n", "mine\n"]
