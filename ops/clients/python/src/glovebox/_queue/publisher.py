"""Publishing with confirms: a message counts as sent when RabbitMQ says so.

It must never take silence for consent, nor wait for it without a limit. The connection is for publishing only: under
the broker's memory alarm a publishing connection is held up whole. Each channel carries one message at a time, so that
what comes back can be no other's.
"""

import asyncio
import contextlib
import json
import time
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import aiormq
from aiormq.abc import AbstractChannel, AbstractConnection
from aiormq.exceptions import (
    AMQPError,
    ChannelInvalidStateError,
    ChannelNotFoundEntity,
    DeliveryError,
    PublishError,
)

from .. import _tls
from .._schema.names import CONTROL_EXCHANGE, DEAD, DEFAULT_TENANT, JOBS_EXCHANGE, LANE_QUEUE, queue
from .._tasks import within
from ..errors import Busy, GloveboxError, NoSuchLane, Unavailable
from .dial import without_password
from .message import Message

IN_FLIGHT = 64
CONFIRM_WITHIN = 20.0
"""Seconds. A frozen leader of a cluster stalls publishers for 15."""
CONNECT_WITHIN = 15.0
BLOCKED_FOR = 2.0
"""An alarm that is over by then was none."""
HEARTBEAT = 10
PAUSES = (0.02, 0.05, 0.1, 0.2, 0.4, 0.8)
"""Seconds between attempts at a queue that is being made."""
BROKEN = (AMQPError, ChannelInvalidStateError, OSError, RuntimeError)
"""What a connection raises that is not, or no longer, of use."""

T = TypeVar("T")


class NotSent(Exception):
    """RabbitMQ has not got the message, for this error."""

    def __init__(self, error: GloveboxError) -> None:
        """The error is what the caller is told."""
        super().__init__(error)
        self.error = error


class Publisher:
    """One connection to RabbitMQ, made at first use and again when it was lost."""

    def __init__(self, url: str) -> None:
        """Nothing is connected yet."""
        self._url = url
        self.url = without_password(url)
        self._connection: AbstractConnection | None = None
        self._idle: list[AbstractChannel] = []
        self._connecting = asyncio.Lock()
        self._in_flight = asyncio.Semaphore(IN_FLIGHT)

    async def publish(self, message: Message, *, is_served: bool = True) -> None:
        """Publishes one message and waits for the confirm. The queue of a tenant is made first where no runner may
        know of it, and where it turns out not to be there.

        Raises `NotSent` where the message has not arrived, and a `GloveboxError` where nobody knows.
        """
        async with self._in_flight:
            try:
                await self._deliver(message, is_served)
            except GloveboxError as error:
                if isinstance(error, NoSuchLane | Busy) or not message.may_have_arrived:
                    raise NotSent(error) from error.__cause__
                raise

    async def _deliver(self, message: Message, is_served: bool) -> None:
        if is_served:
            try:
                return await self._publish(message)
            except NoSuchLane:
                # It came back: it is nowhere.
                message.may_have_arrived = False
                if message.tenant == DEFAULT_TENANT:
                    raise
            except Busy:
                if message.tenant == DEFAULT_TENANT:
                    raise
                return await self._publish_to_new(message, PAUSES[:3])
        await self._open(message)
        return await self._publish_to_new(message, PAUSES)

    async def _publish_to_new(self, message: Message, pauses: tuple[float, ...]) -> None:
        """A quorum queue that somebody is making at this moment refuses everything until it has a leader."""
        for pause in pauses:
            try:
                return await self._publish(message)
            except Busy:
                await asyncio.sleep(pause)
        return await self._publish(message)

    async def _publish(self, message: Message) -> None:
        """What is published here may arrive twice."""
        await self._persist(lambda connection: self._send(connection, message))

    async def _open(self, message: Message) -> None:
        """Makes the queue of a job's tenant and tells the runners. One that does not hear it looks now and then."""
        await self._persist(lambda connection: self._declare(connection, message))
        body = json.dumps({"version": 1, "lane": message.lane, "tenant": message.tenant}).encode()
        await self._publish(Message.to_runners(message.job_id, body, time.time_ns() // 1_000_000))

    async def _persist(self, work: Callable[[AbstractConnection], Awaitable[None]]) -> None:
        """A connection that broke is made again once."""
        for is_last in (False, True):
            connection = await self._connect()
            try:
                return await work(connection)
            except BROKEN as error:
                await self._drop(connection)
                if is_last:
                    why = f"RabbitMQ at {self.url} was lost while publishing: {error!r}"
                    raise Unavailable(why, "sending the same id again is safe, it runs once") from error
        return None

    async def _declare(self, connection: AbstractConnection, message: Message) -> None:
        """Makes the queue, unless there is no such lane: its own queue is a runner's to make."""
        channel = await _within(CONNECT_WITHIN, self._channel(connection))

        async def declare() -> None:
            await channel.queue_declare(queue(message.lane), passive=True)
            name = queue(message.routing_key)
            await channel.queue_declare(name, durable=True, arguments={**LANE_QUEUE})
            await channel.queue_bind(name, JOBS_EXCHANGE, routing_key=message.routing_key)

        declaring = asyncio.ensure_future(declare())
        try:
            await self._answer(declaring, connection, message)
        except ChannelNotFoundEntity:
            # The broker has closed the channel.
            raise _no_such_lane(message) from None
        finally:
            declaring.cancel()
        self._idle.append(channel)

    async def _send(self, connection: AbstractConnection, message: Message) -> None:
        channel = await _within(CONNECT_WITHIN, self._channel(connection))
        properties = message.properties()
        message.may_have_arrived = True
        publishing = asyncio.ensure_future(
            channel.basic_publish(
                message.body,
                exchange=message.exchange,
                routing_key=message.routing_key,
                properties=properties,
                mandatory=message.is_mandatory,
            )
        )
        try:
            await self._answer(publishing, connection, message)
        except DeliveryError as refusal:
            self._idle.append(channel)
            raise _refused(refusal, message) from None
        finally:
            publishing.cancel()
        self._idle.append(channel)

    async def _answer(self, asking: "asyncio.Future[Any]", connection: AbstractConnection, message: Message) -> None:
        """Returns with the confirm, or the answer, or raises what came instead."""
        done, _ = await asyncio.wait({asking}, timeout=BLOCKED_FOR)
        is_blocked = not done and await _is_blocked(connection)
        if not done and not is_blocked:
            done, _ = await asyncio.wait({asking}, timeout=CONFIRM_WITHIN - BLOCKED_FOR)
        if not done:
            # It would be sent when the alarm is over, long after it was given up.
            await self._drop(connection)
            raise _blocked(message) if is_blocked else _unconfirmed(message)
        if asking.cancelled():
            raise ConnectionError("the connection was closed")
        asking.result()

    async def _connect(self) -> AbstractConnection:
        """The connection in use, or a new one with the exchanges declared."""
        async with self._connecting:
            if self._connection is None or self._connection.is_closed:
                self._connection, self._idle = None, []
                try:
                    self._connection = await _within(CONNECT_WITHIN, self._new_connection())
                except BROKEN as error:
                    why = f"cannot connect to RabbitMQ at {self.url}: {error!r}"
                    raise Unavailable(why, "start it, or set GLOVEBOX_AMQP_URL") from error
            return self._connection

    async def _new_connection(self) -> AbstractConnection:
        separator = "&" if "?" in self._url else "?"
        url = self._url if "heartbeat=" in self._url else f"{self._url}{separator}heartbeat={HEARTBEAT}"
        context = _tls.context() if url.startswith("amqps://") else None
        connection = await aiormq.connect(
            url, context=context, client_properties={"connection_name": "glovebox python"}
        )
        channel = await self._channel(connection)
        for exchange, kind in ((JOBS_EXCHANGE, "direct"), (DEAD, "fanout"), (CONTROL_EXCHANGE, "fanout")):
            await channel.exchange_declare(exchange, exchange_type=kind, durable=True)
        self._idle.append(channel)
        return connection

    async def _channel(self, connection: AbstractConnection) -> AbstractChannel:
        while self._idle:
            channel = self._idle.pop()
            if not channel.is_closed:
                return channel
        return await connection.channel(publisher_confirms=True, on_return_raises=True)

    async def _drop(self, connection: AbstractConnection) -> None:
        """Whoever publishes next gets another one."""
        if self._connection is connection:
            self._connection, self._idle = None, []
        with contextlib.suppress(*BROKEN):
            await _within(1.0, connection.close())

    async def close(self) -> None:
        """Ends the connection."""
        if self._connection is not None:
            await self._drop(self._connection)


def _refused(refusal: DeliveryError, message: Message) -> GloveboxError:
    if isinstance(refusal, PublishError):
        return _no_such_lane(message)
    why = f"the queue of the lane {message.lane!r} does not take job {message.job_id}"
    return Busy(why, "wait until the runners have caught up and send it again, or add runners")


def _no_such_lane(message: Message) -> GloveboxError:
    lane = message.lane
    why = f"no runner has ever served the lane {lane!r}, so job {message.job_id} has nowhere to go"
    return NoSuchLane(why, f"start a runner for it (`glovebox runner --lane {lane}`), or check the lane's name")


def _blocked(message: Message) -> GloveboxError:
    why = f"RabbitMQ does not take job {message.job_id}: it has an alarm of memory or disk"
    hint = "`rabbitmq-diagnostics alarms` says which; when it is over, send the same id again: it runs once"
    return Unavailable(why, hint)


def _unconfirmed(message: Message) -> GloveboxError:
    why = f"RabbitMQ did not confirm the message of job {message.job_id} within {CONFIRM_WITHIN:.0f} s"
    return Unavailable(why, "it may or may not be queued: sending the same id again is safe, it runs once")


async def _is_blocked(connection: AbstractConnection) -> bool:
    """Whether it has said that it takes nothing from anybody."""
    with contextlib.suppress(asyncio.TimeoutError):
        async with within(0.05):
            await connection.ready()
            return False
    return True


async def _within(seconds: float, work: Awaitable[T]) -> T:
    try:
        async with within(seconds):
            return await work
    except asyncio.TimeoutError:
        raise ConnectionError(f"it did not answer within {seconds:.0f} s") from None
