"""The real servers and a real runner, as processes that never outlive the tests."""

import os
import shutil
import subprocess
import tempfile
import threading
import uuid
from pathlib import Path
from typing import IO

ROOT = Path(__file__).resolve().parents[4]
SERVERS = ROOT / "ops/lib/servers.sh"


def binary() -> Path:
    """The `glovebox` under test."""
    path = Path(os.environ.get("GLOVEBOX_BIN", ROOT / "target/debug/glovebox"))
    assert path.exists(), f"{path} is not built: cargo build -p glovebox"
    return path


class Server:
    """A private RabbitMQ or Redis, to be killed and frozen."""

    def __init__(self, kind: str, *lines: str) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix=f"glovebox-{kind}-"))
        self._process = subprocess.Popen(
            ["bash", SERVERS, "supervise", kind, self.folder, *lines],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
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

    @property
    def tls_place(self) -> str:
        return f"localhost:{(self.folder / 'port_tls').read_text().strip()}"

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def end(self) -> None:
        self._process.communicate()
        shutil.rmtree(self.folder, ignore_errors=True)


class Gateway:
    """A running `glovebox gateway`, ready when this returns."""

    KEY = "a-key-of-the-tests"

    def __init__(self, amqp_url: str, redis_url: str, *arguments: str, listen: str = "127.0.0.1:0") -> None:
        self._process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", binary(), "gateway", "--listen", listen, *arguments],
            env=os.environ
            | {"GLOVEBOX_AMQP_URL": amqp_url, "GLOVEBOX_REDIS_URL": redis_url, "GLOVEBOX_API_KEY": self.KEY},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.url = _says(self._process.stdout, "listening on ").split()[-1]

    def __enter__(self) -> "Gateway":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(60)


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
        _says(self._process.stderr, "consuming")

    def __enter__(self) -> "Runner":
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait(60)
        shutil.rmtree(self._spool, ignore_errors=True)


def _says(log: IO[str] | None, text: str) -> str:
    """The first line with this text. The log is read on: a full pipe would hold the process up."""
    assert log is not None
    said = ""
    for line in log:
        said += line
        if text in line:
            threading.Thread(target=_drain, args=[log]).start()
            return line
    raise AssertionError(said)


def _drain(log: IO[str]) -> None:
    with log:
        for _ in log:
            pass


def new_vhost(amqp_url: str, folder: Path) -> str:
    """The URL of a new virtual host: names of queues are fixed, so tests must not share one."""
    name = uuid.uuid4().hex
    subprocess.run(["bash", SERVERS, "vhost", folder, name], check=True)
    return f"{amqp_url.rpartition('/')[0]}/{name}"


def erl(folder: Path, expressions: str) -> None:
    """Has the RabbitMQ of this folder evaluate Erlang."""
    subprocess.run(["bash", SERVERS, "erl", folder, expressions], check=True, stdout=subprocess.DEVNULL)
