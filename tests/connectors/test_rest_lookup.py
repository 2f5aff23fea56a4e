"""A service is asked politely, over TLS, with what was agreed and no more; whatever it does is a reply."""

from __future__ import annotations

from typing import Any

import pytest
from stub_service import answer, stub_service

from migration_assets.connectors.rest_lookup import Reply, RestLookup, TokenBucket, pointed
from migration_assets.domain.errors import Misconfigured


def asked(answers: Any, token: str = "", attempts: int = 1) -> tuple[Reply, Any]:
    """The reply to one question, and the service as it was left."""
    with stub_service(answers) as stub:
        lookup = RestLookup(f"{stub.url}/v1", token, attempts=attempts, timeout_seconds=5)
        reply = lookup.ask({"domain": "acme.example"})
        lookup.close()
    return reply, stub


def test_question_token_and_answer_go_over_as_they_are() -> None:
    reply, stub = asked(lambda q: answer(200, {"of": q["domain"], "rate": 0.1, "staff": 12}), token="s3cret")
    assert reply == Reply("answered", 200, {"of": "acme.example", "rate": "0.1", "staff": "12"})
    assert stub.questions == [{"domain": "acme.example"}]
    assert stub.headers[0]["Authorization"] == "Bearer s3cret"


def test_without_a_token_none_is_sent() -> None:
    _, stub = asked(lambda _: answer(200, {}))
    assert "Authorization" not in stub.headers[0]


@pytest.mark.parametrize(
    ("status", "outcome"),
    [(404, "unknown"), (410, "unknown"), (400, "client_error"), (401, "client_error"), (500, "server_error"),
     (503, "server_error"), (429, "client_error")],
)  # fmt: skip
def test_4xx_and_5xx_are_told_apart(status: int, outcome: str) -> None:
    assert asked(lambda _: answer(status, {"note": "kept out"}))[0] == Reply(outcome, status)


def test_a_service_that_recovers_is_asked_again_and_one_that_refuses_is_not() -> None:
    replies = iter([answer(503), answer(429, Retry_After="0"), answer(200, {"a": "1"})])
    reply, stub = asked(lambda _: next(replies), attempts=3)
    assert (reply.outcome, len(stub.questions)) == ("answered", 3)
    _, stub = asked(lambda _: answer(422), attempts=3)
    assert len(stub.questions) == 1


def test_a_redirect_is_not_followed_so_that_nothing_goes_to_strangers() -> None:
    with stub_service(lambda _: answer(200, {"a": "1"})) as elsewhere:
        reply, _ = asked(lambda _: answer(307, Location=elsewhere.url), token="s3cret", attempts=3)
    assert reply == Reply("client_error", 307) and elsewhere.questions == []


@pytest.mark.parametrize("body", [b"<html>", b"\xff", b"[" * 100_000, b'"' + b"x" * 1_000_001 + b'"'])
def test_an_answer_that_is_none_is_unreadable(body: bytes) -> None:
    assert asked(lambda _: (200, {}, body))[0] == Reply("unreadable", 200)


def test_a_service_that_is_not_there_is_unreachable() -> None:
    with stub_service(lambda _: answer(200)) as stub:
        gone = stub.url
    assert RestLookup(gone, attempts=2).ask({"a": "b"}) == Reply("unreachable")


@pytest.mark.parametrize("url", ["http://service.example/v1", "ftp://localhost/", "https://", "localhost"])
def test_beyond_this_machine_only_tls(url: str) -> None:
    with pytest.raises(Misconfigured, match="not https"):
        RestLookup(url)


def test_no_more_questions_a_second_than_agreed() -> None:
    now, waits = [0.0], []

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        now[0] += seconds

    bucket = TokenBucket(4, clock=lambda: now[0], sleep=sleep)
    for _ in range(12):
        bucket.take()
    assert now[0] == pytest.approx(2.0), "four at once, and the other eight at four a second"
    assert waits == [pytest.approx(0.25)] * 8


@pytest.mark.parametrize(
    ("pointer", "found"),
    [("/a/b", "1"), ("/c/1", "y"), ("/c/2", None), ("/c/x", None), ("/a~1b", "2"), ("/t~0", "3"), ("/a/b/c", None),
     ("/no", None)],
)  # fmt: skip
def test_a_pointer_names_one_place_of_an_answer(pointer: str, found: Any) -> None:
    assert pointed({"a": {"b": "1"}, "c": ["x", "y"], "a/b": "2", "t~": "3"}, pointer) == found
