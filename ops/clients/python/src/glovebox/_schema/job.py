# Written by `generate`: run it instead of editing this.

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field
from typing_extensions import TypeAliasType


class Callback(BaseModel):
    """
    Where to tell that the job is done, by a signed POST.
    """

    model_config = ConfigDict(
        extra='forbid',
    )
    headers: Annotated[dict[str, str], Field(max_length=16)] = {}
    """
    Headers to send along, at most 8 KiB of them. Not those of the connection, nor what describes the body.
    """
    include_result: bool | None = None
    """
    Whether the result itself is sent, if it has at most 256 KiB.
    """
    url: Annotated[str, Field(max_length=2048, pattern='^https?://[!-.0-~][!-~]*$')]
    """
    An absolute URL, `http` or `https`, without user and fragment. Internal addresses are closed unless the operator
    opens them.
    """


Compare = TypeAliasType("Compare", Literal['exact', 'trimmed', 'tokens', 'floats', 'unordered_lines', 'checker'])
"""
How a test's output is compared with what was expected.
"""


Encoding = TypeAliasType("Encoding", Literal['utf-8', 'base64'])
"""
How a text field holds its bytes.
"""


class File(BaseModel):
    """
    One file in the working folder.
    """

    model_config = ConfigDict(
        extra='forbid',
    )
    content: str
    """
    What is in it.
    """
    encoding: Encoding = 'utf-8'
    """
    How `content` is written.
    """
    path: Annotated[str, Field(max_length=1024, min_length=1)]
    """
    Where: relative, with `/` between components, none of them empty, `.` or `..`.
    """


class Limits(BaseModel):
    """
    Limits that a job asks for. Each may only be lower than the profile's ceiling; absent means the profile's.
    """

    model_config = ConfigDict(
        extra='forbid',
    )
    cpu_ms: Annotated[int | None, Field(ge=1)] = None
    """
    Milliseconds of CPU time, of all processes together.
    """
    disk_bytes: Annotated[int | None, Field(ge=1)] = None
    """
    Bytes that may be written to the working folder and `/tmp`.
    """
    memory_bytes: Annotated[int | None, Field(ge=1)] = None
    """
    Bytes of memory, of all processes together.
    """
    output_bytes: Annotated[int | None, Field(ge=1)] = None
    """
    Bytes of standard output, and as many of standard error.
    """
    processes: Annotated[int | None, Field(ge=1)] = None
    """
    Processes and threads at the same time.
    """
    wall_ms: Annotated[int | None, Field(ge=1)] = None
    """
    Milliseconds from start to end.
    """


Network = TypeAliasType("Network", Literal['none', 'proxy'])
"""
What a job's program may reach.
"""


class Proxy(BaseModel):
    """
    What a job asks of the proxy. It can only ask for less than the profile allows.
    """

    model_config = ConfigDict(
        extra='forbid',
    )
    bytes: Annotated[int | None, Field(ge=1)] = None
    """
    How many bytes, both ways and all connections together.
    """
    connections: Annotated[int | None, Field(ge=1)] = None
    """
    How many connections.
    """
    hosts: Annotated[list[str] | None, Field(max_length=64)] = None
    """
    The only hosts to be let through: `example.org`, `*.example.org`, an address or a network.
    """
    ports: Annotated[list[int] | None, Field(max_length=64)] = None
    """
    The only ports.
    """
    upstream: Annotated[str | None, Field(max_length=300, min_length=1)] = None
    """
    A proxy to go through, as `http://host:port`.
    """


class Tolerance(BaseModel):
    """
    How far a number may be from the one expected: near enough is what is within either. Without this, both are 1e-6;
    one that is left out beside the other is 0.
    """

    model_config = ConfigDict(
        extra='forbid',
    )
    absolute: Annotated[float, Field(ge=0.0)] = 0.0
    """
    The largest difference.
    """
    relative: Annotated[float, Field(ge=0.0)] = 0.0
    """
    The largest difference as a part of the number expected.
    """


class Checker(BaseModel):
    """
    A program that judges what the job's program has written. It is run for each test that is compared by it, in a cell
    of its own, with three arguments: the paths of files with the test's input, the program's output, and the output
    expected. It exits with 0 to accept, with 1 to say that the output is wrong, and writes why to standard error or
    output. Whatever else becomes of it is its own fault: then the test is `rejected`, and the program not judged.
    """

    model_config = ConfigDict(
        extra='forbid',
    )
    code: str
    """
    The checker, as the one file that the profile names.
    """
    files: Annotated[list[File], Field(max_length=1000, validate_default=True)] = []
    """
    Files beside it.
    """
    language: Annotated[str, Field(pattern='^[A-Za-z0-9+#._-]{1,64}$')]
    """
    A profile's name or alias.
    """
    limits: Limits | None = None
    """
    Lower limits than the profile's.
    """
    profile: Annotated[str | None, Field(pattern='^[A-Za-z0-9+#._-]{1,64}:[a-z0-9][a-z0-9._-]{0,63}$')] = None
    """
    A package environment of this language, as `python:NAME`.
    """


class Test(BaseModel):
    """
    One run of the program with its own input.
    """

    model_config = ConfigDict(
        extra='forbid',
    )
    args: Annotated[list[str], Field(max_length=1000)] = []
    """
    The program's arguments.
    """
    compare: Compare = 'trimmed'
    """
    How exactly it has to write that.
    """
    expected_stdout: str | None = None
    """
    What it has to write to standard output; without it only the exit code counts, or what the checker says.
    """
    name: Annotated[str, Field(max_length=200, min_length=1, pattern='^[^\\x00-\\x1f\\x7f-\\x9f]+$')]
    """
    What it is called in the result; no two share a name.
    """
    stdin: str = ''
    """
    What the program reads.
    """
    tolerance: Tolerance | None = None
    """
    How far off numbers may be, for `floats`.
    """


class JobDocument(BaseModel):
    """
    A program to run in a cell of its own, and what it may use. It needs `code`, `files` or both.
    """

    model_config = ConfigDict(
        extra='forbid',
    )
    args: Annotated[list[str], Field(max_length=1000)] = []
    """
    The program's arguments. A job with `tests` has none: each test has its own.
    """
    callback: Callback | None = None
    """
    Where to tell that the job is done.
    """
    checker: Checker | None = None
    """
    A program that judges the output of the tests that are compared by it.
    """
    code: str | None = None
    """
    The program, short for one file that the profile names (`main.py`).
    """
    entrypoint: Annotated[str | None, Field(max_length=1024, min_length=1)] = None
    """
    Which file to run, if not the profile's.
    """
    env: Annotated[dict[str, str], Field(max_length=1000)] = {}
    """
    The program's environment, besides what the profile sets. At most 128 KiB together with the arguments.
    """
    expires_at: AwareDatetime | None = None
    """
    Not started after this time (RFC 3339).
    """
    files: Annotated[list[File], Field(max_length=1000, validate_default=True)] = []
    """
    The program as several files, or its inputs. Their paths differ, and none is a folder of another.
    """
    id: Annotated[str, Field(pattern='^[A-Za-z0-9_-]{1,64}$')]
    """
    The key of the result: one id sent twice runs once. A client makes it if absent; a message must have it.
    """
    lane: Annotated[str, Field(pattern='^[a-z0-9-]{1,32}$')] = 'default'
    """
    Which queue.
    """
    language: Annotated[str, Field(pattern='^[A-Za-z0-9+#._-]{1,64}$')]
    """
    A profile's name or alias, such as `python` or `nodejs`.
    """
    limits: Limits | None = None
    """
    Lower limits than the profile's. Above the profile's ceiling the job is rejected.
    """
    metadata: Annotated[dict[str, str], Field(max_length=64)] = {}
    """
    Handed back untouched in the result. At most 16 KiB in all.
    """
    network: Network = 'none'
    """
    What the program may reach.
    """
    outputs: Annotated[list[str], Field(max_length=100)] = []
    """
    Globs of files in the working folder to hand back.
    """
    parallel: Annotated[int | None, Field(ge=1)] = None
    """
    How many tests may run at the same time. Without it, as many as the runner has slots that nobody needs; of a
    job with `stream`, one after the other in any case.
    """
    profile: Annotated[str | None, Field(pattern='^[A-Za-z0-9+#._-]{1,64}:[a-z0-9][a-z0-9._-]{0,63}$')] = None
    """
    A package environment that the operator has built for this language, as `python:NAME`.
    """
    proxy: Proxy | None = None
    """
    Less than the profile's proxy lets through; for a job with the network `proxy`.
    """
    stdin: str = ''
    """
    What the program reads. A job with `tests` has none: each test has its own.
    """
    stop_on_failure: bool = False
    """
    Leave out the tests after the first that does not succeed; the result has those up to it.
    """
    stream: bool = False
    """
    Also publish output while the program runs.
    """
    tenant: Annotated[str, Field(pattern='^[A-Za-z0-9_.-]{1,64}$')] = 'default'
    """
    Whom the job is counted against.
    """
    tests: Annotated[list[Test], Field(max_length=1000, validate_default=True)] = []
    """
    Runs of the program, compiled once and run each in its own fresh cell.
    """
    version: Annotated[int, Field(ge=1, le=1)] = 1
    """
    The version of this document.
    """
