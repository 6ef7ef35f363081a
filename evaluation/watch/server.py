"""HTTP for the page, on this machine alone: one page, three answers in JSON, no files.

Requests must name this machine as their host, so that no site can reach the page by a name of its own (DNS
rebinding), and questions must be sent as JSON by the page itself, so that no other site can ask them.
"""

from __future__ import annotations

import json
import secrets
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from typing import Any

from bundlegym.errors import UserError
from bundlegym.evaluation.watch.visits import Watch

ADDRESS = "127.0.0.1"
#: Longest question in bytes, and seconds that a connection may be idle.
BODY_LIMIT, _IDLE = 20_000, 30
_JSON, _HTML = "application/json", "text/html; charset=utf-8"


@dataclass(frozen=True)
class Answer:
    """Status, type and body of an answer, and further headers."""

    status: int
    kind: str
    body: bytes
    headers: Mapping[str, str]


def answer(
    watch: Watch, about: Mapping[str, Any], method: str, path: str, headers: Mapping[str, str], body: bytes
) -> Answer:
    """What is sent back; what is wrong with a request is told in one sentence.

    Args:
        about: the facts of the run.
        headers: of the request, names in lower case.
    """
    if not _this_machine(headers.get("host", "")):
        return _problem(403, "this page answers only under 127.0.0.1 or localhost")
    known = {"/": "GET", "/run": "GET", "/visit": "POST", "/offer": "POST"}
    if path not in known:
        return _problem(404, "there is no such page")
    if method != known[path]:
        return _problem(405, f"{path} takes {known[path]}")
    if path == "/":
        return page()
    if path == "/run":
        return _json(200, about)
    if headers.get("content-type", "").partition(";")[0].strip().lower() != _JSON:
        return _problem(415, f"a question must be sent as {_JSON}")
    if not _same_site(headers.get("origin"), headers["host"]):
        return _problem(403, "questions are taken from this page alone")
    try:
        asked = json.loads(body)
    except (ValueError, RecursionError):
        return _problem(400, "the question is no JSON")
    try:
        return _json(200, (watch.visit if path == "/visit" else watch.offer)(asked))
    except UserError as error:
        return _problem(422, str(error))


def page() -> Answer:
    """The page; nothing but its own script runs in it, and it can ask this server alone."""
    nonce = secrets.token_urlsafe(16)
    text = files("bundlegym.evaluation.watch").joinpath("page.html").read_text(encoding="utf-8")
    policy = (
        f"default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    body = text.replace("{{nonce}}", nonce).encode()
    return Answer(200, _HTML, body, {"Content-Security-Policy": policy})


def make_server(watch: Watch, about: Mapping[str, Any], port: int) -> ThreadingHTTPServer:
    """A server that listens at `port` of this machine, or at a free one where it is 0.

    Raises:
        UserError: something else listens there.
    """
    one_at_a_time = threading.Lock()  # a browser holds several connections; there is one simulator

    class Handler(BaseHTTPRequestHandler):
        timeout = _IDLE
        server_version, sys_version = "bundlegym", ""

        def do_GET(self) -> None:
            self._send(self._answer(b""))

        def do_POST(self) -> None:
            length = self.headers.get("Content-Length", "")
            if not length.isdecimal() or int(length) > BODY_LIMIT:
                self.close_connection = True
                return self._send(_problem(413, f"a question is {BODY_LIMIT} bytes long at most"))
            self._send(self._answer(self.rfile.read(int(length))))

        def _answer(self, body: bytes) -> Answer:
            given = {name.lower(): value for name, value in self.headers.items()}
            with one_at_a_time:
                return answer(watch, about, self.command, self.path, given, body)

        def _send(self, found: Answer) -> None:
            self.send_response(found.status)
            always = {
                "Content-Type": found.kind,
                "Content-Length": str(len(found.body)),
                "Cache-Control": "no-store",
                "Referrer-Policy": "no-referrer",
                "X-Content-Type-Options": "nosniff",
            }
            for name, value in (always | dict(found.headers)).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(found.body)

        def log_message(self, format: str, *arguments: Any) -> None:
            """Nothing: the terminal is for the address."""

    try:
        server = ThreadingHTTPServer((ADDRESS, port), Handler)
    except OSError as error:
        raise UserError(f"--port {port}: {error.strerror}; give another one, or 0 for any") from error
    server.daemon_threads = True
    return server


def _this_machine(host: str) -> bool:
    name, colon, port = host.partition(":")
    return name.lower() in (ADDRESS, "localhost") and (not colon or port.isdecimal())


def _same_site(origin: str | None, host: str) -> bool:
    """Browsers name the site that asks; other clients need not."""
    return origin is None or origin == f"http://{host}"


def _json(status: int, content: Any) -> Answer:
    return Answer(status, _JSON, json.dumps(content, allow_nan=False).encode(), {})


def _problem(status: int, sentence: str) -> Answer:
    return _json(status, {"error": sentence})
