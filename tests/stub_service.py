"""A small real service on loopback for tests: answers POSTed JSON as it is told to, and remembers what it was asked."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

# Of one question: HTTP status, headers, and the body as it goes over the wire.
Answer = tuple[int, dict[str, str], bytes]


@dataclass
class Stub:
    """`url` of the service; `questions` and `headers` of every request, in order."""

    url: str
    questions: list[Any] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)


def answer(status: int, body: Any = None, **headers: str) -> Answer:
    return status, headers, b"" if body is None else json.dumps(body).encode()


@contextmanager
def stub_service(answers: Callable[[Any], Answer]) -> Iterator[Stub]:
    """The service, up until the block ends. `answers` is called with each question."""
    stub = Stub("")

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            question = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            stub.questions.append(question)
            stub.headers.append(dict(self.headers))
            status, headers, body = answers(question)
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name.replace("_", "-"), value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    stub.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield stub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
