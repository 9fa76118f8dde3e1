"""Results, for thousands of waiters by one subscription and one reader.

The order is what makes waiting safe: subscribe, then look, then listen. Who is to look again is collected and looked up
together: after every message, after every answer that a channel is listened to (so also when a lost connection is made
again), and all of them every two seconds. A message that went by unheard costs time and never the result.

It must never wait with BLPOP: an abandoned one still takes what it waited for.
"""

import asyncio
import logging
from collections.abc import Sequence
from itertools import islice

from redis.asyncio import Connection
from redis.exceptions import RedisError

from .._schema.names import done_channel, result_key, state_key
from .._tasks import end, set_within, within
from ..errors import GloveboxError, ResultExpired
from ..models import JobResult
from .dial import ANSWER_WITHIN
from .servers import Store

LOOK_AGAIN = 2.0
"""Seconds. A connection whose peer froze says nothing at all: this finds out."""
TRY_AGAIN = 0.5
"""Seconds until a server that failed is asked again."""
AT_ONCE = 200
"""Results that are asked for together."""
PREFIX = done_channel("")
NOBODYS_CHANNEL = PREFIX.rstrip(":")
"""Listened to for its own sake: a login that may not listen shows at once."""

log = logging.getLogger("glovebox")


class Mailbox:
    """Waits for results, and looks them up."""

    def __init__(self, store: Store) -> None:
        """Nothing is connected yet."""
        self._store = store
        self._waiting: dict[str, list[asyncio.Future[JobResult]]] = {}
        self._look_at: set[str] = set()
        self._came_or_went: set[str] = set()
        self._has_looks, self._has_changes = asyncio.Event(), asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._trouble: GloveboxError | None = None

    async def result(self, job_id: str) -> JobResult | None:
        """The result, if it is there."""
        found = (await self._results([job_id]))[0]
        if isinstance(found, GloveboxError):
            raise found
        return found

    async def wait(self, job_id: str, timeout: float | None) -> JobResult | None:
        """The result, as soon as it is there; `None` when it is not within so many seconds.

        Redis may fail in between: that is an error only at the first look and when time is up.
        """
        try:
            async with within(timeout):
                return await self.result(job_id) or await self.arrival(job_id)
        except asyncio.TimeoutError:
            if self._trouble is not None:
                raise self._trouble from None
            return None

    async def arrival(self, job_id: str) -> JobResult:
        """The result, as soon as it is there, whatever becomes of Redis meanwhile."""
        future: asyncio.Future[JobResult] = asyncio.get_running_loop().create_future()
        others = self._waiting.setdefault(job_id, [])
        if others:
            self._look([job_id])
        others.append(future)
        self._listen_anew(job_id)
        if not self._tasks:
            self._tasks = [asyncio.create_task(self._read_on()), asyncio.create_task(self._listen_on())]
        try:
            return await future
        finally:
            others.remove(future)
            if not others:
                del self._waiting[job_id]
                self._listen_anew(job_id)

    def _look(self, job_ids: Sequence[str]) -> None:
        self._look_at.update(job_ids)
        self._has_looks.set()

    def _listen_anew(self, job_id: str) -> None:
        self._came_or_went.add(job_id)
        self._has_changes.set()

    async def _read_on(self) -> None:
        """Looks, whenever there is a reason to."""
        while True:
            await set_within(LOOK_AGAIN, self._has_looks)
            if not self._look_at:
                self._look_at.update(self._waiting)
            try:
                await self._read()
                self._trouble = None
            except GloveboxError as error:
                self._look(())
                await self._bear(error)

    async def _read(self) -> None:
        while job_ids := list(islice(self._look_at, AT_ONCE)):
            for job_id, found in zip(job_ids, await self._results(job_ids), strict=True):
                for future in self._waiting.get(job_id, ()):
                    if isinstance(found, JobResult) and not future.done():
                        future.set_result(found)
                    elif isinstance(found, GloveboxError) and not future.done():
                        future.set_exception(found)
            self._look_at.difference_update(job_ids)

    async def _results(self, job_ids: Sequence[str]) -> list[JobResult | GloveboxError | None]:
        """What there is of each, in two round trips at most."""
        async with self._store.pipeline("reading results") as ask:
            for job_id in job_ids:
                ask.get(result_key(job_id))
                ask.hget(state_key(job_id), "state")
            answers = await ask.execute()
            found, states = list(answers[::2]), answers[1::2]
            # A result is stored before its state says so: look once more.
            missing = [at for at, state in enumerate(states) if state == b"done" and found[at] is None]
            for at in missing:
                ask.get(result_key(job_ids[at]))
            for at, document in zip(missing, await ask.execute() if missing else (), strict=True):
                found[at] = document or ResultExpired(
                    f"the result of job {job_ids[at]} has expired", "to run it again, send it under another id"
                )
        return [_read_result(job_id, document) for job_id, document in zip(job_ids, found, strict=True)]

    async def _listen_on(self) -> None:
        """Listens on one connection, and on another when that is lost."""
        while True:
            line = self._store.line()
            speaking: asyncio.Task[None] | None = None
            try:
                await line.connect()  # type: ignore[no-untyped-call]
                speaking = asyncio.create_task(self._speak(line))
                await self._hear(line)
            except (RedisError, OSError) as error:
                await self._bear(self._store.failed(error, "listening for results"))
            finally:
                if speaking is not None:
                    await end([speaking])
                await line.disconnect(nowait=True)

    async def _speak(self, line: Connection) -> None:
        """Subscribes for whoever comes, and for nobody who has gone; asks for a sign of life now and then."""
        asked: set[str] = set()
        await line.send_command("SUBSCRIBE", NOBODYS_CHANNEL, check_health=False)
        self._came_or_went = set(self._waiting)
        while True:
            changed, self._came_or_went = self._came_or_went, set()
            if not changed:
                await line.send_command("PING", check_health=False)
            new = [job_id for job_id in changed if job_id in self._waiting and job_id not in asked]
            gone = [job_id for job_id in changed if job_id not in self._waiting and job_id in asked]
            for command, job_ids in (("SUBSCRIBE", new), ("UNSUBSCRIBE", gone)):
                if job_ids:
                    await line.send_command(command, *map(done_channel, job_ids), check_health=False)
            asked.update(new)
            asked.difference_update(gone)
            await set_within(LOOK_AGAIN, self._has_changes)

    async def _hear(self, line: Connection) -> None:
        """What is heard is a hint and never the result."""
        while True:
            said = await line.read_response(timeout=LOOK_AGAIN + ANSWER_WITHIN)
            if said is None:
                raise ConnectionError("it says nothing any more")
            if said[0] in (b"subscribe", b"message"):
                self._look([said[1].decode().removeprefix(PREFIX)])

    async def _bear(self, error: GloveboxError) -> None:
        """Goes on after a while if that may help; otherwise nobody need wait any longer."""
        if error.is_temporary:
            if self._trouble is None and self._waiting:
                log.warning("still waiting for %d results: %s", len(self._waiting), error)
            self._trouble = error
        else:
            for future in [future for futures in self._waiting.values() for future in futures]:
                if not future.done():
                    future.set_exception(error)
        await asyncio.sleep(TRY_AGAIN)

    async def close(self) -> None:
        """Stops listening."""
        tasks, self._tasks = self._tasks, []
        await end(tasks)


def _read_result(job_id: str, document: bytes | GloveboxError | None) -> JobResult | GloveboxError | None:
    if not isinstance(document, bytes):
        return document
    try:
        return JobResult.from_wire(job_id, document)
    except GloveboxError as error:
        return error
