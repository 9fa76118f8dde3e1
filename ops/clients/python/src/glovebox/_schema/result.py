# Written by `generate`: run it instead of editing this.

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, Field
from typing_extensions import TypeAliasType


class Attempt(BaseModel):
    """
    One of a job's attempts that did not lead to its result.
    """

    attempt: Annotated[int, Field(ge=0)]
    """
    Which, from 1.
    """
    ended: str
    """
    How it ended: `runner_lost` if its runner died or went silent, `given_back` if that stopped, else the code
    of what failed.
    """
    runner: str
    """
    The runner that made it.
    """
    started_at: AwareDatetime
    """
    When it began.
    """


class Denied(BaseModel):
    """
    A system call that the policy refused.
    """

    count: Annotated[int, Field(ge=0)]
    """
    How often it was refused.
    """
    hint: str = ''
    """
    What it is commonly for, and how to do without it or allow it.
    """
    syscall: str
    """
    Its name.
    """


Encoding = TypeAliasType("Encoding", Literal['utf-8', 'base64'])
"""
How a text field holds its bytes.
"""


class ErrorInfo(BaseModel):
    """
    What is wrong, and how to mend it.
    """

    code: str
    """
    A stable code for programs.
    """
    hint: str = ''
    """
    What to do about it.
    """
    message: str
    """
    What is wrong.
    """


Limit = TypeAliasType("Limit", Literal['wall_time', 'cpu_time', 'memory', 'output', 'disk', 'processes'])
"""
A limit that a program can exceed.
"""


class OutputFile(BaseModel):
    """
    A file that the program left and the job asked for.
    """

    content: str
    """
    What is in it.
    """
    encoding: Encoding = 'utf-8'
    """
    How `content` is written.
    """
    path: str
    """
    Where in the working folder.
    """
    size: Annotated[int, Field(ge=0)]
    """
    Its size in bytes.
    """


Status = TypeAliasType("Status", Literal['succeeded', 'failed', 'limit_exceeded', 'denied', 'cancelled', 'expired', 'rejected', 'error'])
"""
What became of a job or a test.
"""


class Times(BaseModel):
    """
    When what happened. A time that never came is absent.
    """

    enqueued_at: AwareDatetime | None = None
    """
    When the job was sent.
    """
    finished_at: AwareDatetime | None = None
    """
    When this attempt ended.
    """
    queue_ms: float | None = None
    """
    Milliseconds in the queue.
    """
    run_ms: float | None = None
    """
    Milliseconds of the program, with its tests.
    """
    setup_ms: float | None = None
    """
    Milliseconds to make the cell.
    """
    started_at: AwareDatetime | None = None
    """
    When this attempt began.
    """


class Usage(BaseModel):
    """
    What a program used.
    """

    cpu_system_ms: float = 0.0
    """
    Milliseconds of CPU time in the kernel for the program.
    """
    cpu_user_ms: float = 0.0
    """
    Milliseconds of CPU time in the program.
    """
    memory_peak_bytes: Annotated[int, Field(ge=0)] = 0
    """
    The most memory at any time, in bytes.
    """
    processes_peak: Annotated[int, Field(ge=0)] = 0
    """
    The most processes and threads at any time.
    """
    wall_ms: float = 0.0
    """
    Milliseconds from start to end.
    """


Verdict = TypeAliasType("Verdict", Literal['allowed', 'host_not_allowed', 'port_not_allowed', 'private_address', 'unresolved', 'unreachable', 'upstream_refused', 'byte_limit', 'connection_limit', 'malformed', 'other'])
"""
What became of a connection.
"""


class Connection(BaseModel):
    """
    One connection that a program asked the proxy for.
    """

    bytes_received: Annotated[int, Field(ge=0)] = 0
    """
    Bytes that the program received.
    """
    bytes_sent: Annotated[int, Field(ge=0)] = 0
    """
    Bytes that the program sent.
    """
    hint: str = ''
    """
    What to do about it, if it was not let through.
    """
    host: str
    """
    The host, as it was asked for.
    """
    port: Annotated[int, Field(ge=0, le=65535)]
    """
    The port.
    """
    verdict: Verdict
    """
    What became of it.
    """


class Ran(BaseModel):
    """
    How one cell of a job ended: the compiler's, or a test's.
    """

    denied: Annotated[list[Denied], Field(validate_default=True)] = []
    """
    The system calls that the policy refused.
    """
    encoding: Encoding = 'utf-8'
    """
    How `stdout` and `stderr` are written.
    """
    exit_code: int | None = None
    """
    The program's exit code, if it exited.
    """
    limit: Limit | None = None
    """
    Which limit was exceeded.
    """
    signal: str | None = None
    """
    The signal that ended the program, such as `SIGSEGV`.
    """
    status: Status
    """
    What became of it.
    """
    stderr: str = ''
    """
    What the program wrote to standard error.
    """
    stderr_truncated: bool = False
    """
    Whether it wrote more to standard error than is here.
    """
    stdout: str = ''
    """
    What the program wrote to standard output.
    """
    stdout_truncated: bool = False
    """
    Whether it wrote more to standard output than is here.
    """
    usage: Usage | None = None
    """
    What it used. What the compiler used is not counted in the result's own.
    """


class TestResult(BaseModel):
    """
    What became of one test.
    """

    denied: Annotated[list[Denied], Field(validate_default=True)] = []
    """
    The system calls that the policy refused.
    """
    diff: str | None = None
    """
    Where the output differs from what was expected, or what the checker says of it. Of the first test that has one
    it is more than a line. At most 8 KiB, without control characters but the ends of lines.
    """
    encoding: Encoding = 'utf-8'
    """
    How `stdout` and `stderr` are written.
    """
    error: ErrorInfo | None = None
    """
    Why the test is `rejected`: what is wrong with the checker, and how to mend it.
    """
    exit_code: int | None = None
    """
    The program's exit code, if it exited.
    """
    limit: Limit | None = None
    """
    Which limit was exceeded.
    """
    name: str
    """
    The test's name.
    """
    signal: str | None = None
    """
    The signal that ended the program, such as `SIGSEGV`.
    """
    status: Status
    """
    What became of it.
    """
    stderr: str = ''
    """
    What the program wrote to standard error.
    """
    stderr_truncated: bool = False
    """
    Whether it wrote more to standard error than is here.
    """
    stdout: str = ''
    """
    What the program wrote to standard output.
    """
    stdout_truncated: bool = False
    """
    Whether it wrote more to standard output than is here.
    """
    usage: Usage | None = None
    """
    What it used. What the compiler used is not counted in the result's own.
    """


class ResultDocument(BaseModel):
    """
    What became of a job.
    """

    attempt: Annotated[int, Field(ge=0)] = 0
    """
    Which attempt this was, from 1.
    """
    compile: Ran | None = None
    """
    How the program was compiled, if its language is. If that failed, the program never started, and the
    exit code and the output of the result are the compiler's.
    """
    connections: Annotated[list[Connection], Field(validate_default=True)] = []
    """
    The connections that the program asked the proxy for, in that order.
    """
    connections_omitted: Annotated[int, Field(ge=0)] = 0
    """
    How many more there were.
    """
    denied: Annotated[list[Denied], Field(validate_default=True)] = []
    """
    The system calls that the policy refused, also if the program went on.
    """
    earlier_attempts: Annotated[list[Attempt], Field(validate_default=True)] = []
    """
    The attempts before this one.
    """
    encoding: Encoding = 'utf-8'
    """
    How `stdout` and `stderr` are written.
    """
    error: ErrorInfo | None = None
    """
    Why it was rejected, or what failed on our side.
    """
    exit_code: int | None = None
    """
    The program's exit code, if it exited.
    """
    files: Annotated[list[OutputFile], Field(validate_default=True)] = []
    """
    The files that the job asked for.
    """
    id: Annotated[str, Field(pattern='^[A-Za-z0-9_-]{1,64}$')]
    """
    The job's id.
    """
    limit: Limit | None = None
    """
    Which limit was exceeded.
    """
    metadata: dict[str, str] = {}
    """
    The job's own.
    """
    profile: str | None = None
    """
    The profile it ran under, if it got that far.
    """
    runner: str = ''
    """
    The runner that wrote this.
    """
    signal: str | None = None
    """
    The signal that ended the program, such as `SIGSEGV`.
    """
    status: Status
    """
    What became of it.
    """
    stderr: str = ''
    """
    What the program wrote to standard error.
    """
    stderr_truncated: bool = False
    """
    Whether it wrote more to standard error than is here.
    """
    stdout: str = ''
    """
    What the program wrote to standard output.
    """
    stdout_truncated: bool = False
    """
    Whether it wrote more to standard output than is here.
    """
    tests: Annotated[list[TestResult], Field(validate_default=True)] = []
    """
    What became of each test, in the job's order: with `stop_on_failure`, up to the first that did not succeed.
    """
    times: Times
    """
    When what happened.
    """
    usage: Usage | None = None
    """
    What it used, if it ran. Times add up over its tests, also of those that ran side by side; peaks are the highest
    of any one.
    """
    version: Annotated[int, Field(ge=0)] = 1
    """
    The version of this document.
    """
