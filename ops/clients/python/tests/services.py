"""The real servers and a real runner, as processes that never outlive the tests."""

import os
import shutil
import subprocess
import tempfile
import uuid
from pathlib import Path
from types import TracebackType
from typing import IO

ROOT = Path(__file__).resolve().parents[4]
SERVERS = ROOT / "ops/lib/servers.sh"


def binary() -> Path:
    """The `glovebox` under test."""
    path = Path(os.environ.get("GLOVEBOX_TEST_BINARY", ROOT / "target/debug/glovebox"))
    assert path.exists(), f"{path} is not built: cargo build -p glovebox"
    return path


class Server:
    """A private RabbitMQ or Redis, to be killed and frozen."""

    def __init__(self, kind: str) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix=f"glovebox-{kind}-"))
        self._process = subprocess.Popen(
            ["bash", SERVERS, "supervise", kind, self.folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        word, _, self.url = self._line().partition(" ")
        assert word == "ready", self.url

    def obey(self, verb: str) -> None:
        """`kill`, `start`, `freeze` or `thaw`."""
        stdin = self._process.stdin
        assert stdin is not None
        stdin.write(verb + "\n")
        stdin.flush()
        assert self._line() == "ok"

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def end(self) -> None:
        self._process.communicate()
        shutil.rmtree(self.folder, ignore_errors=True)


class Runner:
    """A running `glovebox runner`, ready when this returns."""

    def __init__(self, amqp_url: str, redis_url: str, *arguments: str) -> None:
        self._spool = Path(tempfile.mkdtemp(prefix="glovebox-spool-"))
        self._spool.chmod(0o755)
        self._process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", binary(), "runner", "--name", f"test-{uuid.uuid4().hex}", *arguments],
            env=os.environ
            | {
                "GLOVEBOX_AMQP_URL": amqp_url,
                "GLOVEBOX_REDIS_URL": redis_url,
                "GLOVEBOX_SPOOL": str(self._spool),
                "NO_COLOR": "1",
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self._process.stderr is not None
        self._log: IO[str] = self._process.stderr
        said = ""
        for line in self._log:
            said += line
            if "consuming" in line:
                break
        else:
            raise AssertionError(said)
        # Nobody reads on: a full pipe would hold it up.
        self._drain = subprocess.Popen(["cat"], stdin=self._log, stdout=subprocess.DEVNULL)

    def __enter__(self) -> "Runner":
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._process.terminate()
        self._process.wait(60)
        self._log.close()
        self._drain.wait(60)
        shutil.rmtree(self._spool, ignore_errors=True)


def new_vhost(amqp_url: str, folder: Path) -> str:
    """The URL of a new virtual host: names of queues are fixed, so tests must not share one."""
    name = uuid.uuid4().hex
    subprocess.run(["bash", SERVERS, "vhost", folder, name], check=True)
    return f"{amqp_url.rpartition('/')[0]}/{name}"


def erl(folder: Path, expressions: str) -> None:
    """Has the RabbitMQ of this folder evaluate Erlang."""
    subprocess.run(["bash", SERVERS, "erl", folder, expressions], check=True, stdout=subprocess.DEVNULL)
