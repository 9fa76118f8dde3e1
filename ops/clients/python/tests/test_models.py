"""Jobs and results as documents."""

import json

import pytest

from glovebox import InvalidJob, Job, JobResult, UnreadableResult
from glovebox.models import new_id, to_job


def test_what_has_its_default_is_not_sent() -> None:
    job = to_job("print(1)", {"language": "python", "id": "a", "tests": [{"name": "x"}]})
    assert json.loads(job.to_wire()) == {"id": "a", "language": "python", "code": "print(1)", "tests": [{"name": "x"}]}


def test_a_job_has_an_id_from_its_birth_and_keeps_it() -> None:
    job = Job(language="python", code="")
    assert to_job(job, {"lane": "slow"}).id == job.id
    ids = [new_id() for _ in range(100)]
    assert len({*ids}) == 100
    assert all(len(one) == 36 and one[14] == "7" and one[19] in "89ab" for one in ids)
    assert ids[0][:8] <= ids[-1][:8]


def test_what_a_program_says_goes_before_what_is_said_of_all() -> None:
    fields = {"language": "python", "lane": "slow"}
    assert to_job({"code": "", "language": "ruby"}, fields).language == "ruby"
    assert to_job(Job(language="ruby", code=""), fields).model_dump(include={"language", "lane"}) == {
        "language": "ruby",
        "lane": "slow",
    }


@pytest.mark.parametrize(
    ("program", "fields", "message"),
    [
        ("", {"langauge": "python"}, "unknown field `langauge`; did you mean `language`?"),
        (
            "",
            {"language": "python", "tests": [{"name": "x", "stdni": ""}]},
            "unknown field `tests.0.stdni`; did you mean `stdin`?",
        ),
        ("", {"language": "py thon"}, "language: "),
        ("", {"language": "python", "id": "a\n"}, "id: "),
        ({"language": "python"}, {}, "neither `code` nor `files`"),
        ("", {}, "language: Field required"),
    ],
)
def test_mistakes_are_named_by_their_field(program: str, fields: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidJob) as raised:
        to_job(program, fields)
    assert message in str(raised.value)


def test_a_text_that_is_no_unicode_is_refused() -> None:
    with pytest.raises(InvalidJob, match="Unicode"):
        to_job("\ud800", {"language": "python"}).to_wire()


def test_an_error_does_not_show_what_was_written() -> None:
    with pytest.raises(InvalidJob) as raised:
        to_job("", {"language": "python", "env": {"TOKEN": ["s3cret"]}})
    assert "s3cret" not in str(raised.value)
    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__


def test_a_newer_runner_may_say_more_but_not_less() -> None:
    document = {
        "version": 2,
        "id": "a",
        "status": "succeeded",
        "times": dict.fromkeys(["enqueued_at", "finished_at", "queue_ms", "run_ms", "setup_ms", "started_at"]),
        "new": 1,
    }
    assert JobResult.from_wire("a", json.dumps(document).encode()).passed
    for bad in (b"", b"{}", b"[1]", json.dumps(document | {"status": "levitated"}).encode()):
        with pytest.raises(UnreadableResult, match="update this client"):
            JobResult.from_wire("a", bad)
