"""The way by a gateway: a real one, and strangers that answer what no gateway would."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from conftest import Fleet
from services import Gateway

from glovebox import (
    Busy,
    Glovebox,
    GloveboxError,
    InvalidJob,
    Job,
    JobResult,
    NoSuchLane,
    NotDone,
    Unauthorized,
    Unavailable,
    UnknownJob,
    client,
)


@pytest.fixture(scope="module")
def gateway(fleet: Fleet) -> Iterator[Gateway]:
    with Gateway(fleet.amqp_url, fleet.redis_url) as gateway:
        yield gateway


@pytest.fixture(scope="module")
def web(gateway: Gateway) -> Iterator[Glovebox]:
    with Glovebox(gateway.url, api_key=gateway.KEY) as box:
        yield box


def test_the_same_becomes_of_a_program_by_either_way(web: Glovebox, box: Glovebox) -> None:
    fields = {"code": "import sys; print(input()); sys.exit(3)", "language": "python", "stdin": "1\n"}
    ways = [way.run(fields, metadata={"a": "b"}) for way in (web, box)]
    first, second = (way.model_dump(include={"status", "exit_code", "stdout", "metadata", "denied"}) for way in ways)
    assert first == second


def test_submitted_by_one_way_it_is_waited_for_by_the_other(web: Glovebox, box: Glovebox) -> None:
    job_id = web.submit("print(1)", language="python")
    assert box.wait(job_id) == web.wait(job_id, timeout=10) == web.result(job_id)


def test_many_programs_by_http(web: Glovebox) -> None:
    programs = [f"print({n})" for n in range(50)]
    outputs = [result.stdout for result in web.map(programs, language="python", concurrency=16)]
    assert outputs == [f"{n}\n" for n in range(50)]


def test_what_the_gateway_finds_wrong_is_told(web: Glovebox, gateway: Gateway) -> None:
    with pytest.raises(NoSuchLane, match="nobody"):
        web.submit("", language="python", lane="nobody")
    twice = [{"name": "a"}, {"name": "a"}]
    with pytest.raises(InvalidJob, match="tests"):
        web.submit("", language="python", tests=twice)
    assert web.run("", language="python", tests=twice).status == "rejected"
    with pytest.raises(InvalidJob):
        web.submit("#" * (64 << 20), language="python")
    for nobody in ("nobody-sent-this", "../../metrics", ""):
        with pytest.raises(GloveboxError):
            web.wait(nobody, timeout=5)
    with pytest.raises(UnknownJob):
        web.result("nobody-sent-this")
    for key in ("wrong", None):
        with Glovebox(gateway.url, api_key=key) as stranger, pytest.raises(Unauthorized, match="Bearer"):
            stranger.run("", language="python")


def test_cancelling_by_http(web: Glovebox) -> None:
    job_id = web.submit("import time\nwhile True: time.sleep(1)", language="python")
    with pytest.raises(NotDone):
        web.wait(job_id, timeout=0.5)
    assert web.result(job_id) is None
    web.cancel(job_id)
    assert web.wait(job_id, timeout=30).status == "cancelled"
    web.cancel(job_id)


def test_whoever_waits_outlives_a_gateway_that_restarts(fleet: Fleet) -> None:
    with Gateway(fleet.amqp_url, fleet.redis_url) as gateway:
        listen = gateway.url.rpartition("/")[2]
        box = Glovebox(gateway.url, api_key=gateway.KEY)
        job = Job(language="python", code="import time; time.sleep(3)")
        results = box.map([job], concurrency=1)
        waiting = threading.Thread(target=lambda: outcomes.extend(results))
        outcomes: list[object] = []
        waiting.start()
        # The gateway has it.
        while True:
            try:
                box.result(job.id)
                break
            except UnknownJob:
                time.sleep(0.02)
    with Gateway(fleet.amqp_url, fleet.redis_url, listen=listen):
        waiting.join(30)
    box.close()
    assert len(outcomes) == 1


@contextmanager
def stranger(*answers: tuple[int, dict[str, str], bytes]) -> Iterator[Glovebox]:
    """One who gives these answers in turn, and the last for ever."""
    left = list(answers)

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            status, headers, body = left.pop(0) if len(left) > 1 else left[0]
            self.send_response(status)
            for header in (headers | {"Content-Length": str(len(body))}).items():
                self.send_header(*header)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever).start()
        try:
            with Glovebox(f"http://user:s3cret@127.0.0.1:{server.server_port}", api_key="s3cret") as box:
                yield box
        finally:
            server.shutdown()


JSON = {"Content-Type": "application/json"}
PROBLEM = {"Content-Type": "application/problem+json"}


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        ((200, {"Content-Type": "text/html"}, b"<html>Log in</html>"), GloveboxError),
        ((200, JSON, b"{}"), GloveboxError),
        ((302, {"Location": "http://127.0.0.1:1/"}, b""), GloveboxError),
        ((418, {}, b"tea"), GloveboxError),
        ((500, PROBLEM, b"[]"), GloveboxError),
        ((502, {"Content-Type": "text/html"}, b"<html>Bad gateway</html>"), Unavailable),
        ((429, PROBLEM | {"Retry-After": "7"}, b'{"detail": "too many", "hint": "wait"}'), Busy),
        ((503, PROBLEM | {"Retry-After": "Wed, 21 Oct 2015 07:28:00 GMT"}, b'{"detail": "away"}'), Unavailable),
    ],
)
def test_answers_of_strangers(answer: tuple[int, dict[str, str], bytes], kind: type[GloveboxError]) -> None:
    with stranger(answer) as box, pytest.raises(GloveboxError) as raised:
        box.run("", language="python")
    assert type(raised.value) is kind or kind is GloveboxError
    assert raised.value.is_temporary == (kind in (Busy, Unavailable))
    assert "s3cret" not in str(raised.value)
    if answer[0] == 429:
        assert raised.value.retry_after == 7
        assert str(raised.value) == "too many (wait)"
    if answer[0] == 503:
        assert raised.value.retry_after == 0


def test_a_busy_fleet_is_asked_again_when_it_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "PATIENCE", 0.5)
    document = Job(language="python", code="")
    result = JobResult.rejected(document, "", "").model_dump_json().encode()
    busy = (429, PROBLEM | {"Retry-After": "1"}, b"{}")
    with stranger(busy, busy, (200, JSON, result)) as box:
        began = time.monotonic()
        assert [result.id for result in box.map([document])] == [document.id]
        assert time.monotonic() - began >= 2


def test_patience_with_a_server_that_is_away_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "PATIENCE", 0.5)
    away = (503, PROBLEM, b'{"detail": "away"}')
    with stranger(away) as box, pytest.raises(Unavailable, match="away"):
        list(box.map([""], language="python"))


def test_a_gateway_that_is_away_is_named_without_a_password() -> None:
    with Glovebox("http://user:s3cret@127.0.0.1:1/") as box, pytest.raises(Unavailable) as raised:
        box.run("", language="python")
    assert "http://127.0.0.1:1" in str(raised.value)
    assert "s3cret" not in str(raised.value)
