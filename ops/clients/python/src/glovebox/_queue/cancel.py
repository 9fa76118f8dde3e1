"""Cancelling a job, wherever it is.

A job that waits has its result at once, and whoever is delivered it finds that. One that runs is stopped by a message
to every runner, and by a mark that its runner looks for. It must never end with neither mark nor result, nor with a
result over another.
"""

import json
import time
from datetime import datetime, timezone

from pydantic import TypeAdapter

from .._schema.names import (
    QUEUED,
    RESULT_TTL_SECONDS,
    STATE_TTL_SECONDS,
    cancel_key,
    done_channel,
    result_key,
    state_key,
    tenant_key,
)
from .._schema.result import Attempt, Times
from ..errors import GloveboxError
from ..models import NO_TIMES, JobResult
from .message import Message
from .publisher import NotSent, Publisher
from .servers import Store

_HISTORY = TypeAdapter(list[Attempt])


async def cancel(store: Store, publisher: Publisher, job_id: str) -> None:
    """Cancels a job. One that is done stays as it is; an id that is not known is cancelled, should it turn up."""
    record = await store.fields(state_key(job_id), f"reading the state of job {job_id}")
    result = _result_of_cancelled(job_id, record).model_dump_json()
    keys = [result_key(job_id), cancel_key(job_id), state_key(job_id), done_channel(job_id)]
    arguments: list[str | int] = [
        result,
        RESULT_TTL_SECONDS,
        STATE_TTL_SECONDS,
        "cancelled",
        tenant_key(""),
        QUEUED,
        job_id,
    ]
    [was] = await store.run("cancel", keys, arguments, f"marking the end of job {job_id}")
    if was in ("queued", "done"):
        return
    body = json.dumps({"version": 1, "id": job_id}).encode()
    try:
        await publisher.publish(Message.to_runners(job_id, body, time.time_ns() // 1_000_000))
    except (GloveboxError, NotSent):
        # Whichever runner has the job looks for the mark once a second.
        return


def _result_of_cancelled(job_id: str, record: dict[str, str]) -> JobResult:
    """What a runner would write that is delivered the job now."""
    now = datetime.now(timezone.utc)
    times = NO_TIMES | {"finished_at": now}
    if "enqueued_at" in record:
        times["enqueued_at"] = enqueued = datetime.fromtimestamp(int(record["enqueued_at"]) / 1000, timezone.utc)
        # Two hosts' clocks may disagree by more than the job waited.
        times["queue_ms"] = max(0.0, round((now - enqueued).total_seconds() * 1000, 3))
    return JobResult(
        id=job_id,
        status="cancelled",
        attempt=int(record.get("attempt", 0)) + 1,
        earlier_attempts=_HISTORY.validate_json(record.get("history", "[]")),
        metadata=json.loads(record.get("metadata", "{}")),
        times=Times.model_validate(times),
    )
