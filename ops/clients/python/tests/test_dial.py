"""Servers with TLS, and masters that Sentinels find."""

import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import redis
from services import Gateway, Runner, Server

from glovebox import Glovebox, GloveboxError, Unavailable


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`ca.pem`, and `server.pem` with `server.key` for localhost."""
    folder = tmp_path_factory.mktemp("certificates")
    (folder / "names").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    for command in (
        ["req", "-x509", "-days", "2", "-subj", "/CN=authority", *key, "-out", "ca.pem", "-keyout", "ca.key"],
        ["req", "-subj", "/CN=server", *key, "-out", "server.csr", "-keyout", "server.key"],
        [
            "x509",
            "-req",
            "-in",
            "server.csr",
            "-CA",
            "ca.pem",
            "-CAkey",
            "ca.key",
            "-CAcreateserial",
            "-extfile",
            "names",
            "-out",
            "server.pem",
        ],
    ):
        subprocess.run(["openssl", *command], cwd=folder, check=True, capture_output=True)
    return folder


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def started(stack: ExitStack, kind: str, *lines: str) -> Server:
    server = Server(kind, *lines)
    stack.callback(server.end)
    return server


def test_both_servers_by_tls(stack: ExitStack, certificates: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rabbitmq = started(
        stack,
        "rabbitmq",
        "listeners.ssl.1 = 127.0.0.1:@port-for-tls@",
        f"ssl_options.cacertfile = {certificates}/ca.pem",
        f"ssl_options.certfile = {certificates}/server.pem",
        f"ssl_options.keyfile = {certificates}/server.key",
        "ssl_options.verify = verify_none",
    )
    store = started(
        stack,
        "redis",
        "tls-port @port-for-tls@",
        f"tls-ca-cert-file {certificates}/ca.pem",
        f"tls-cert-file {certificates}/server.pem",
        f"tls-key-file {certificates}/server.key",
        "tls-auth-clients no",
    )
    amqps, rediss = f"amqps://guest:guest@{rabbitmq.tls_place}/%2f", f"rediss://{store.tls_place}/0"
    stack.enter_context(Runner(rabbitmq.url, store.url, "--slots", "1"))
    # Nobody's authority.
    for urls in ((amqps + "?no_verify_ssl=1", store.url), (rabbitmq.url, rediss)):
        with Glovebox(urls[0], redis_url=urls[1]) as box, pytest.raises(Unavailable, match=r"(?i)certificate"):
            box.run("", language="python")
    monkeypatch.setenv("GLOVEBOX_TLS_CA", str(certificates / "ca.pem"))
    with Glovebox(amqps, redis_url=rediss) as box:
        assert box.run("", language="python").passed


def test_a_gateway_by_tls(stack: ExitStack, certificates: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = "--embedded", "--tls-cert", certificates / "server.pem", "--tls-key", certificates / "server.key"
    gateway = stack.enter_context(Gateway("", "", *map(str, arguments)))
    assert gateway.url.startswith("https://")
    with Glovebox(gateway.url, api_key=gateway.KEY) as box, pytest.raises(Unavailable, match=r"(?i)certificate"):
        box.run("", language="python")
    monkeypatch.setenv("GLOVEBOX_TLS_CA", str(certificates / "ca.pem"))
    with Glovebox(gateway.url, api_key=gateway.KEY) as box:
        assert box.run("", language="python").passed


def test_the_master_is_whom_the_sentinels_name(stack: ExitStack) -> None:
    master, other = started(stack, "redis"), started(stack, "redis")
    port = master.url.rpartition(":")[2].partition("/")[0]
    sentinel = started(stack, "sentinel", f"sentinel monitor main 127.0.0.1 {port} 1")
    place = sentinel.url.removeprefix("redis://").partition("/")[0]
    with Glovebox("amqp://127.0.0.1:1/", redis_url=f"redis+sentinel://{place},127.0.0.1:1/main/0") as box:
        job_id = "a"
        box.cancel(job_id)
        with redis.Redis.from_url(master.url) as store:
            assert store.exists("glovebox:cancel:a")
        # The Sentinel changes its mind, and the master that was is no more.
        with redis.Redis.from_url(sentinel.url) as asked:
            asked.execute_command("SENTINEL", "REMOVE", "main")
            there = other.url.rpartition(":")[2].partition("/")[0]
            asked.execute_command("SENTINEL", "MONITOR", "main", "127.0.0.1", there, "1")
        master.obey("kill")
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            try:
                box.cancel(job_id)
                break
            except Unavailable:
                continue
        with redis.Redis.from_url(other.url) as store:
            assert store.exists("glovebox:cancel:a")


@pytest.mark.parametrize(
    "url",
    [
        "redis+sentinel://h",
        "redis+sentinel://h/",
        "redis+sentinel:///main",
        "redis+sentinel://h/main/x",
        "redis+sentinel://h/main/0/1",
        "redis+sentinel://h:x/main",
        "redis+sentinel://u:s3cret@h/main?ssl=false",
        "redis://:s3cret@h/0#insecure",
    ],
)
def test_what_is_no_url_of_sentinels(url: str) -> None:
    with pytest.raises(GloveboxError, match="NAME-OF-THE-MASTER") as raised:
        Glovebox("amqp://h/", redis_url=url)
    assert "s3cret" not in str(raised.value)
