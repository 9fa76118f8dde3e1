"""The mark that says that a job is queued, made before the job is sent.

It must never be made of a job that has run: a result that has expired is no reason to run the job again.
"""

import json
from enum import Enum

from .._schema.names import DEFAULT_TENANT, STATE_TTL_SECONDS, cancel_key, result_key, state_key
from ..errors import GloveboxError, InvalidJob
from ..models import Job
from .servers import Store


class Known(Enum):
    """What was known of an id before it was marked."""

    NEW = "new"
    SENT = "known"
    DONE = "done"


async def mark_queued(store: Store, job: Job, now_ms: int) -> Known:
    """Says that a job is queued, unless something is said of it already: an id sent twice may be running."""
    # For whoever cancels it: the result says what the job said.
    metadata = json.dumps(job.metadata) if job.metadata else ""
    arguments: list[str | int] = [now_ms, STATE_TTL_SECONDS, metadata, job.tenant, DEFAULT_TENANT]
    keys = [result_key(job.id), state_key(job.id), cancel_key(job.id)]
    word = await store.run("mark", keys, arguments, f"writing the state of job {job.id}")
    if word == "taken":
        raise InvalidJob(f"the id {job.id} is another tenant's", "give the job another id, or none")
    return Known(word)


async def unmark_queued(store: Store, job_id: str, marked_ms: int) -> None:
    """Takes back what `mark_queued` said. Where that fails, the mark stays until it expires."""
    try:
        await store.run("unmark", [state_key(job_id)], [marked_ms], f"taking back the state of job {job_id}")
    except GloveboxError:
        return
