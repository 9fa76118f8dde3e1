"""Glovebox without a gateway: jobs over RabbitMQ, results from Redis, as the client in Rust does it.

It must never say that a job was taken before RabbitMQ has said so, and it never makes the queue of a lane, only those
of tenants in one: a lane that no runner has ever served is an error, not a place where jobs disappear.
"""

import time

from ..models import Job, JobResult
from .cancel import cancel
from .mailbox import Mailbox
from .mark import Known, mark_queued, unmark_queued
from .message import Message
from .publisher import NotSent, Publisher
from .servers import Store


class Queue:
    """The way to Glovebox by RabbitMQ and Redis."""

    def __init__(self, amqp_url: str, redis_url: str) -> None:
        """Nothing is connected yet."""
        self._store = Store(redis_url)
        self._publisher = Publisher(amqp_url)
        self._mailbox = Mailbox(self._store)

    async def submit(self, job: Job) -> None:
        """Marks the job as queued, publishes it, and waits for the confirm.

        A second copy of an id is sent as long as the job has no result: nobody can tell whether the first has arrived.
        """
        sent_ms = time.time_ns() // 1_000_000
        marked = await mark_queued(self._store, job, sent_ms)
        if marked.known is Known.DONE:
            return
        message = Message.of_job(job, sent_ms, is_first=marked.known is Known.NEW)
        try:
            await self._publisher.publish(message, is_served=marked.is_served)
        except NotSent as refusal:
            # What may be in the queue stays marked as being there.
            await unmark_queued(self._store, job, sent_ms)
            raise refusal.error from refusal.__cause__

    async def wait(self, job_id: str, timeout: float | None) -> JobResult | None:
        """The result, as soon as it is there."""
        return await self._mailbox.wait(job_id, timeout)

    async def run(self, job: Job) -> JobResult:
        """Submits and waits."""
        await self.submit(job)
        return await self._mailbox.arrival(job.id)

    async def result(self, job_id: str) -> JobResult | None:
        """The result, if it is there."""
        return await self._mailbox.result(job_id)

    async def cancel(self, job_id: str) -> None:
        """Stops a job, wherever it is."""
        await cancel(self._store, self._publisher, job_id)

    async def close(self) -> None:
        """Ends all connections."""
        await self._mailbox.close()
        await self._publisher.close()
        await self._store.close()
