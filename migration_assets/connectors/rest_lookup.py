"""Asking a service on the network for one thing at a time: question in JSON, answer in JSON, no more often than agreed.

Belongs here: how it is asked and what came back. Not here: what is asked and why, and what becomes of an answer.
Nothing of a question or an answer is ever in an error.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from urllib3.util.retry import Retry

from migration_assets.connectors.loopback import is_local
from migration_assets.domain.errors import Misconfigured

# An answer to one question is small; whatever is larger is something else.
_LARGEST_ANSWER = 1_000_000
# What a service says when it wants to be asked again later.
_AGAIN = (429, 500, 502, 503, 504)
# Longest wait before a question is asked again, whatever the service would like.
_LONGEST_WAIT = 30

Outcome = Literal["answered", "unknown", "client_error", "server_error", "unreachable", "unreadable"]


@dataclass(frozen=True)
class Reply:
    """What came of one question. `unknown`: the service has nothing on it (404, 410). `client_error` is any other 4xx,
    and a redirect, which is not followed; `unreadable` an answer that is no JSON or too large. `status`: of HTTP, None
    without any. `body`: if answered."""

    outcome: Outcome
    status: int | None = None
    body: Any = None


class TokenBucket:
    """Lets `per_second` calls through each second, and as many at once after a rest."""

    def __init__(
        self,
        per_second: int,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._rate, self._clock, self._sleep = per_second, clock, sleep
        self._tokens, self._at = float(per_second), clock()
        self._lock = threading.Lock()

    def take(self) -> None:
        """Wait for a token and take it."""
        with self._lock:
            self._refill()
            if self._tokens < 1:
                self._sleep((1 - self._tokens) / self._rate)
                self._refill()
            self._tokens -= 1

    def _refill(self) -> None:
        now = self._clock()
        self._tokens = min(float(self._rate), self._tokens + (now - self._at) * self._rate)
        self._at = now


class _Bearer(AuthBase):
    """The token as a header of every request; a .netrc of the account that runs this has no say."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._token:
            request.headers["Authorization"] = f"Bearer {self._token}"
        return request


class RestLookup:
    """One service. Outside loopback only over TLS with a certificate that is verified. Close it when done."""

    def __init__(
        self, url: str, token: str = "", *, per_second: int = 5, timeout_seconds: int = 10, attempts: int = 3
    ) -> None:
        _require_tls(url)
        self._url, self._timeout, self._bucket = url, timeout_seconds, TokenBucket(per_second)
        self._session = requests.Session()
        self._session.auth = _Bearer(token)
        # A proxy stands between this machine and others, not between it and itself.
        self._session.trust_env = not is_local(urlsplit(url).hostname)
        again = Retry(
            total=attempts - 1,
            redirect=0,
            status_forcelist=_AGAIN,
            allowed_methods={"POST"},  # a question changes nothing, however often it is put
            backoff_factor=0.2,
            backoff_max=_LONGEST_WAIT,
            retry_after_max=_LONGEST_WAIT,
            raise_on_status=False,
            raise_on_redirect=False,
        )
        for scheme in ("https://", "http://"):
            self._session.mount(scheme, HTTPAdapter(max_retries=again))

    def ask(self, question: Mapping[str, str]) -> Reply:
        """Put one question; every way in which that can fail is a Reply, never an exception."""
        self._bucket.take()
        try:
            with self._session.post(
                self._url, json=dict(question), timeout=self._timeout, allow_redirects=False, stream=True
            ) as response:
                return _reply(response)
        except requests.RequestException:
            return Reply("unreachable")

    def close(self) -> None:
        self._session.close()


def _require_tls(url: str) -> None:
    parts = urlsplit(url)
    safe = parts.scheme == "https" or (parts.scheme == "http" and is_local(parts.hostname))
    if not safe or not parts.hostname:
        raise Misconfigured(
            "the address of a service is not https", "give its variable an https:// address; http only on this machine"
        )


def _reply(response: requests.Response) -> Reply:
    status = response.status_code
    if status in (404, 410):
        return Reply("unknown", status)
    if status >= 300:
        return Reply("server_error" if status >= 500 else "client_error", status)
    try:
        # Numbers stay as they are written: none of them becomes a float.
        return Reply("answered", status, json.loads(_content(response), parse_float=str, parse_int=str))
    except (ValueError, RecursionError, requests.RequestException):
        return Reply("unreadable", status)


def _content(response: requests.Response) -> bytes:
    """The body; ValueError as soon as it is larger than an answer is."""
    whole = b""
    for part in response.iter_content(65_536):
        whole += part
        if len(whole) > _LARGEST_ANSWER:
            raise ValueError("too large")
    return whole


def pointed(document: Any, pointer: str) -> Any:
    """What a JSON pointer (RFC 6901) names in a document; None when there is nothing."""
    for step in pointer.split("/")[1:]:
        name = step.replace("~1", "/").replace("~0", "~")
        if isinstance(document, dict):
            document = document.get(name)
        elif isinstance(document, list) and name.isdecimal() and int(name) < len(document):
            document = document[int(name)]
        else:
            return None
    return document
