"""A message on its way out: persistent, with its job's id, and marked as the first copy where it is one.

It must never bear that mark once an earlier try may have arrived: a runner that cannot ask Redis starts a first copy
and nothing else.
"""

from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from aiormq import spec

from .._schema.names import (
    CONTENT_TYPE,
    CONTROL_EXCHANGE,
    DEFAULT_TENANT,
    ENQUEUED_AT_HEADER,
    FIRST_COPY_HEADER,
    JOBS_EXCHANGE,
)
from ..models import Job


def route(lane: str, tenant: str) -> str:
    """The routing key of a job: its lane, and its tenant if it names one."""
    return lane if tenant == DEFAULT_TENANT else f"{lane}.{tenant}"


@dataclass
class Message:
    """What is published."""

    job_id: str
    body: bytes
    exchange: str
    routing_key: str
    sent_ms: int
    """In milliseconds since 1970."""
    is_first: bool
    """Whether nobody has sent this id before."""
    is_mandatory: bool
    """Whether it is an error that no queue takes it."""
    may_have_arrived: bool = False
    """Whether a try that failed may have reached the broker nevertheless."""

    @classmethod
    def of_job(cls, job: Job, sent_ms: int, *, is_first: bool) -> "Message":
        """To the queue of the job's lane, or of its tenant there."""
        key = route(job.lane, job.tenant)
        return cls(job.id, job.to_wire(), JOBS_EXCHANGE, key, sent_ms, is_first, is_mandatory=True)

    @classmethod
    def to_runners(cls, job_id: str, body: bytes, sent_ms: int) -> "Message":
        """To every runner. With no runner there, nobody runs the job either."""
        return cls(job_id, body, CONTROL_EXCHANGE, "", sent_ms, is_first=False, is_mandatory=False)

    @property
    def lane(self) -> str:
        """Of a job. No lane has a dot in its name."""
        return self.routing_key.partition(".")[0]

    @property
    def tenant(self) -> str:
        """Of a job."""
        return self.routing_key.partition(".")[2] or DEFAULT_TENANT

    def properties(self) -> "spec.Basic.Properties":
        """As they are for the next try."""
        # AMQP's own timestamp counts whole seconds.
        headers: dict[str, Any] = {ENQUEUED_AT_HEADER: self.sent_ms}
        if self.is_first and not self.may_have_arrived:
            headers[FIRST_COPY_HEADER] = True
        return spec.Basic.Properties(
            message_id=self.job_id,
            content_type=CONTENT_TYPE,
            delivery_mode=2,
            timestamp=datetime.fromtimestamp(self.sent_ms // 1000, timezone.utc),
            headers=headers,
        )
