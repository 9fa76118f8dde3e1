"""What can go wrong for a client, told apart by who can mend it.

No message may hold a password, a key, or anything of a job but its id, its lane and its tenant. What became of a
program is no error but a result: see `JobResult.status`.
"""

__all__ = [
    "Busy",
    "GloveboxError",
    "InvalidJob",
    "NoSuchLane",
    "NotDone",
    "ResultExpired",
    "Unauthorized",
    "Unavailable",
    "UnknownJob",
    "UnreadableResult",
]


class GloveboxError(Exception):
    """A question or an order to Glovebox that failed."""

    is_temporary = False
    """Whether waiting may mend it. Sending the same job again is always safe: an id runs once."""

    def __init__(self, message: str, hint: str = "", retry_after: float | None = None) -> None:
        """`retry_after` is in seconds, where the server named it."""
        super().__init__(message, hint, retry_after)
        self.message = message
        self.hint = hint
        """What to do about it, in one line."""
        self.retry_after = retry_after

    def __str__(self) -> str:
        """The message, and how to mend it."""
        return f"{self.message} ({self.hint})" if self.hint else self.message


class InvalidJob(GloveboxError, ValueError):
    """The job itself is wrong; the message names the field."""


class Unauthorized(GloveboxError):
    """The key is missing, wrong, or not good for this."""


class UnknownJob(GloveboxError, LookupError):
    """No job of yours has this id, or no longer."""


class ResultExpired(GloveboxError):
    """The job has run, and its result is no longer kept."""


class UnreadableResult(GloveboxError):
    """What is stored as the result is none that this client can read."""


class NoSuchLane(GloveboxError):
    """No runner has ever served the job's lane, so that the job has nowhere to go."""


class NotDone(GloveboxError, TimeoutError):
    """The result is not there in time. The job goes on."""


class Busy(GloveboxError):
    """The fleet takes no more just now: a limit of the tenant, a full queue."""

    is_temporary = True


class Unavailable(GloveboxError):
    """A server could not be reached, was lost, or takes nothing just now."""

    is_temporary = True
