"""Jobs and results: the generated models, and the little that the schemas can't say.

A job is checked here so that a mistake shows where it was made. It must never be taken for checked by that: the limits
of a profile, for one, are the runner's to know.
"""

import base64
import difflib
import secrets
import time
from collections.abc import Mapping
from typing import Any, TypeAlias
from uuid import UUID

from pydantic import Field, ValidationError, model_validator
from pydantic_core import PydanticSerializationError

from . import _schema
from ._schema.job import JobDocument
from ._schema.result import ResultDocument
from .errors import InvalidJob, UnreadableResult

__all__ = ["Job", "JobResult", "Program"]

NO_TIMES: dict[str, Any] = dict.fromkeys(_schema.Times.model_fields)


def new_id() -> str:
    """A new id that sorts by the time it was made (UUIDv7, RFC 9562)."""
    value = time.time_ns() // 1_000_000 << 80 | secrets.randbits(80)
    return str(UUID(int=value & ~(0xF << 76 | 0x3 << 62) | 0x7 << 76 | 0x2 << 62))


class Job(JobDocument):
    """A program to run in a cell of its own, and what it may use. It needs `code`, `files` or both."""

    # From its birth: sending the same object again runs it once.
    id: str = Field(default_factory=new_id, pattern="^[A-Za-z0-9_-]{1,64}$")

    @model_validator(mode="after")
    def _has_a_program(self) -> "Job":
        if self.code is None and not self.files:
            raise ValueError("it has neither `code` nor `files`")
        return self

    def to_wire(self) -> bytes:
        """The document as sent. Fields that have their default are left out."""
        try:
            return self.model_dump_json(exclude_defaults=True).encode()
        except PydanticSerializationError:
            raise InvalidJob("the job is not valid: a text in it is no Unicode", "it has a lone surrogate") from None


class JobResult(ResultDocument):
    """What became of a job."""

    @property
    def passed(self) -> bool:
        """Whether the program exited with 0, and passed every test that it had."""
        return self.status == "succeeded"

    @property
    def stdout_bytes(self) -> bytes:
        """What the program wrote to standard output, also if that is no text."""
        return _decoded(self.stdout, self.encoding)

    @property
    def stderr_bytes(self) -> bytes:
        """What the program wrote to standard error, also if that is no text."""
        return _decoded(self.stderr, self.encoding)

    @classmethod
    def rejected(cls, job: Job, message: str, hint: str) -> "JobResult":
        """That of a job which did not come as far as a runner, because of what is wrong with it."""
        info = _schema.ErrorInfo(code="invalid_job", message=message, hint=hint)
        times = _schema.Times.model_validate(NO_TIMES)
        return cls(id=job.id, status="rejected", error=info, metadata=job.metadata, times=times)

    @classmethod
    def from_wire(cls, job_id: str, document: bytes) -> "JobResult":
        """Reads a result. Fields of a newer runner are passed over."""
        try:
            return cls.model_validate_json(document)
        except ValidationError as error:
            message = f"the stored result of job {job_id} cannot be read: {_explained(error, cls)}"
            raise UnreadableResult(message, "a newer runner may have written it: update this client") from None


Program: TypeAlias = str | Job | Mapping[str, Any]
"""A program's text, a job, or a job as a mapping."""


def to_job(program: Program, fields: Mapping[str, Any]) -> Job:
    """A job of a program; what the program itself says goes before the fields."""
    if isinstance(program, str):
        document = {"code": program, **fields}
    elif not isinstance(program, Job):
        document = {**fields, **program}
    elif fields:
        document = {**fields, **program.model_dump(exclude_unset=True), "id": program.id}
    else:
        return program
    try:
        return Job.model_validate(document)
    except ValidationError as error:
        raise InvalidJob(f"the job is not valid: {_explained(error, Job)}") from None


def _explained(error: ValidationError, model: type[JobDocument] | type[ResultDocument]) -> str:
    """The first flaw by its path, without what was written there: that may be large, or a secret."""
    flaws = error.errors(include_input=False, include_url=False)
    # A field that is missing may be there under a name that is unknown.
    flaw = min(flaws, key=lambda flaw: flaw["type"] != "extra_forbidden")
    path = ".".join(str(part) for part in flaw["loc"])
    if flaw["type"] != "extra_forbidden":
        return f"{path}: {flaw['msg']}" if path else flaw["msg"].removeprefix("Value error, ")
    parts = (getattr(_schema, name) for name in _schema.__all__)
    fields = {*model.model_fields, *(field for part in parts for field in getattr(part, "model_fields", ()))}
    close = difflib.get_close_matches(str(flaw["loc"][-1]), fields, 1)
    return f"unknown field `{path}`" + (f"; did you mean `{close[0]}`?" if close else "")


def _decoded(text: str, encoding: str) -> bytes:
    return base64.b64decode(text) if encoding == "base64" else text.encode()
