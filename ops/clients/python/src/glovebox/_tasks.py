"""What asyncio lacks, or lacks in older Pythons."""

import asyncio
import sys
from collections.abc import Iterable
from typing import Any

if sys.version_info >= (3, 11):
    from asyncio import timeout as within
else:
    from async_timeout import timeout as within

__all__ = ["end", "set_within", "within"]


async def end(tasks: Iterable["asyncio.Task[Any]"]) -> None:
    """Cancels tasks until they have ended. Once is not enough: before Python 3.12 `asyncio.wait_for`, which redis-py
    uses, loses a cancellation that comes together with what was waited for.
    """
    left = {*tasks}
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=0.05)


async def set_within(seconds: float, event: asyncio.Event) -> None:
    """Returns when an event is set, at the latest after so many seconds, and clears it."""
    timer = asyncio.get_running_loop().call_later(seconds, event.set)
    try:
        await event.wait()
    finally:
        timer.cancel()
    event.clear()
