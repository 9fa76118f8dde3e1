"""The mark that says that a job is queued, made before the job is sent, and in the same step the question whether its
tenant may send it.

It must never be made of a job that has run: a result that has expired is no reason to run the job again.
"""

import json
from dataclasses import dataclass
from enum import Enum

from .._schema.names import (
    ALL_TENANTS,
    DEFAULT_TENANT,
    ROUTES_KEY,
    STATE_TTL_SECONDS,
    TENANT_SERVED_MS,
    cancel_key,
    queued_key,
    rate_key,
    result_key,
    state_key,
    tenant_key,
)
from ..errors import Busy, GloveboxError, InvalidJob
from ..models import Job
from .message import route
from .servers import Store


class Known(Enum):
    """What was known of an id before it was marked."""

    NEW = "new"
    SENT = "known"
    DONE = "done"


@dataclass(frozen=True)
class Marked:
    """What was found when a job was to be marked."""

    known: Known
    is_served: bool
    """Whether runners that are there know of the queue, if it is a tenant's own."""


async def mark_queued(store: Store, job: Job, now_ms: int) -> Marked:
    """Says that a job is queued, unless something is said of it already: an id sent twice may be running.

    Nothing is said of a job that its tenant may not send now, which is `Busy`.
    """
    tenant = job.tenant
    keys = [
        *(result_key(job.id), state_key(job.id), cancel_key(job.id)),
        *(tenant_key(tenant), tenant_key(ALL_TENANTS), rate_key(tenant), queued_key(tenant), ROUTES_KEY),
    ]
    # For whoever cancels it: the result says what the job said.
    metadata = json.dumps(job.metadata) if job.metadata else ""
    own_route = "" if tenant == DEFAULT_TENANT else route(job.lane, tenant)
    arguments: list[str | int] = [
        now_ms,
        STATE_TTL_SECONDS,
        metadata,
        job.id,
        tenant,
        own_route,
        TENANT_SERVED_MS,
        DEFAULT_TENANT,
    ]
    word, *more = await store.run("mark", keys, arguments, f"writing the state of job {job.id}")
    if word == "taken":
        raise InvalidJob(f"the id {job.id} is another tenant's", "give the job another id, or none")
    if word == "limited":
        limit, wait_ms = more
        why = f"tenant {tenant!r} is at its limit {limit}, so job {job.id} is not taken now"
        hint = f"send it again in {wait_ms} ms, or raise the limit: `glovebox tenants set {tenant}`"
        raise Busy(why, hint, retry_after=int(wait_ms) / 1000)
    return Marked(Known(word), is_served="unserved" not in more)


async def unmark_queued(store: Store, job: Job, marked_ms: int) -> None:
    """Takes back what `mark_queued` said. Where that fails, the mark stays until it expires."""
    keys = [state_key(job.id), queued_key(job.tenant)]
    try:
        await store.run("unmark", keys, [marked_ms, job.id], f"taking back the state of job {job.id}")
    except GloveboxError:
        return
