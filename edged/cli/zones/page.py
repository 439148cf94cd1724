"""The page to draw on with a mouse: served by the command itself, on 127.0.0.1, until the drawing is done.

Whoever knows the address may open it, and the address has 128 random bits; it answers under its own name
only, so that no other page that is open in the browser can ask it for anything.
"""

from __future__ import annotations

import hmac
import secrets
import socket
import threading
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final

import click
import msgspec

from edged.cli.zones.plan import Plan, read
from edged.cli.zones.sketch import Outline
from edged.errors import ConfigError, UnavailableError

OPEN: Final = 30 * 60.0  # seconds after which an outline that nobody draws on is forgotten
LARGEST: Final = 256 * 1024  # bytes of what the page sends back
IDLE: Final = 10.0  # seconds for a request to be said
TEXT: Final = "text/plain; charset=utf-8"


class Server(ThreadingHTTPServer):
    """Serves one outline. ``path`` is what an address must have; ``drawn`` what came back."""

    daemon_threads = True

    def __init__(self, port: int, page: Callable[[str], bytes]) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.path = f"/{secrets.token_urlsafe(16)}/"
        self.nonce = secrets.token_urlsafe(16)
        self.document = page(self.nonce)
        self.drawn: Plan | None = None
        self.done = threading.Event()

    @property
    def address(self) -> str:
        """Where the page is."""
        return f"http://127.0.0.1:{self.server_port}{self.path}"

    def handle_error(self, request: object, client_address: object) -> None:
        """A browser that hangs up is no matter."""


class Handler(BaseHTTPRequestHandler):
    """GET gives the page, POST takes the drawing. Anything else gets nothing."""

    server: Server
    timeout = IDLE
    server_version, sys_version = "edged", ""

    def do_GET(self) -> None:
        """The page."""
        if self._meant():
            self._answer(HTTPStatus.OK, "text/html; charset=utf-8", self.server.document)

    def do_POST(self) -> None:
        """The drawing: the command goes on with it."""
        if not self._meant():
            return
        try:
            size = int(self.headers.get("Content-Length", ""))
        except ValueError:
            size = -1
        if not 0 <= size <= LARGEST:
            self._answer(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, TEXT, b"too much")
            return
        try:
            drawn = read(self.rfile.read(size))
        except ConfigError as error:
            self._answer(HTTPStatus.BAD_REQUEST, TEXT, f"{error.message}: {error.hint}".encode())
            return
        self._answer(HTTPStatus.OK, TEXT, b"done")
        self.server.drawn = drawn
        self.server.done.set()

    def _meant(self) -> bool:
        """Whether it was asked by this name, and by who was told the address."""
        port = self.server.server_port
        named = self.headers.get("Host") in (f"127.0.0.1:{port}", f"localhost:{port}")
        if named and hmac.compare_digest(self.path.encode(), self.server.path.encode()):
            return True
        self._answer(HTTPStatus.NOT_FOUND, TEXT, b"there is nothing here")
        return False

    def _answer(self, status: HTTPStatus, kind: str, body: bytes) -> None:
        nonce = f"'nonce-{self.server.nonce}'"
        policy = f"default-src 'none'; script-src {nonce}; style-src {nonce}; connect-src 'self'"
        self.send_response(status)
        for name, value in (
            ("Content-Type", kind),
            ("Content-Length", str(len(body))),
            ("Content-Security-Policy", f"{policy}; base-uri 'none'; frame-ancestors 'none'"),
            ("Cache-Control", "no-store"),
            ("Referrer-Policy", "no-referrer"),
            ("X-Content-Type-Options", "nosniff"),
            ("Connection", "close"),
        ):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Addresses hold the token: nothing is logged."""


def served(outline: Outline, plan: Plan, pipeline: str, port: int) -> Plan:
    """What was drawn. Raises ``UnavailableError`` when the port is taken, or nobody has drawn."""
    try:
        server = Server(port, lambda nonce: document(outline, plan, pipeline, nonce))
    except OSError as error:
        raise UnavailableError(f"port {port}: {error.strerror}", "leave --port out: any will do") from None
    with server:
        threading.Thread(target=server.serve_forever, args=(0.1,), daemon=True).start()
        _tell(server)
        in_time = server.done.wait(OPEN)
        server.shutdown()
    if not in_time or server.drawn is None:
        raise UnavailableError(f"nobody has drawn within {OPEN / 60:.0f} min", "edged zones again")
    return server.drawn


def _tell(server: Server) -> None:
    port, host = server.server_port, socket.gethostname()
    click.echo(f"open {click.style(server.address, bold=True)} on this machine", err=True)
    click.echo(f"from another one, first: ssh -L {port}:127.0.0.1:{port} {host}", err=True)
    click.echo("the page is gone when you are done there (or with Ctrl-C here)", err=True)


def document(outline: Outline, plan: Plan, pipeline: str, nonce: str) -> bytes:
    """The page with the outline and what the config has."""
    facts = {
        "pipeline": pipeline,
        "columns": outline.columns,
        "rows": outline.rows,
        "bits": outline.bits.hex(),
        "plan": plan,
    }
    # "</script>" in a string would end the script.
    text = msgspec.json.encode(facts).decode().replace("<", "\\u003c")
    page = Path(__file__).with_name("page.html").read_text("utf-8")
    return page.replace("@NONCE@", nonce).replace("@FACTS@", text).encode()
