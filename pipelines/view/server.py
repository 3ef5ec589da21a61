"""The page and what it asks for, over HTTP on this machine alone.

GET  /, /view.js, /map.js, /overlay.js, /style.css   the page, read once from the package
GET  /options   names to choose from;   GET /map   the present world's map
POST /frame     `requests.Look` -> length of the readout (4 bytes, big-endian), readout (JSON), picture (JPEG)
POST /order     one of `requests.Order` -> 204

Nobody but this page shall talk to it: other pages in the same browser cannot (the Host must be ours, which stops DNS
rebinding; an Origin must be ours; bodies must be JSON, which makes browsers ask first), nor other machines (bound to
127.0.0.1). No path reads a file.
"""

import json
import struct
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.resources import files
from typing import Any, get_args

from configs.schema import RoadKind, WeatherName
from pipelines.datasets.contact import COLOURS
from pipelines.view.requests import WIDTHS_PX, Layer, read_look, read_order
from pipelines.view.session import Session

HOST = "127.0.0.1"
MOST_BODY_BYTES = 16_384
MOST_IDLE_S = 30.0  # that a connection is kept without a request
PAGE = {
    "/": ("page.html", "text/html; charset=utf-8"),
    "/view.js": ("view.js", "text/javascript; charset=utf-8"),
    "/map.js": ("map.js", "text/javascript; charset=utf-8"),
    "/overlay.js": ("overlay.js", "text/javascript; charset=utf-8"),
    "/style.css": ("style.css", "text/css; charset=utf-8"),
}
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


class ViewServer(ThreadingHTTPServer):
    """Serves one session's page. OSError where the port is taken; port 0 takes a free one."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, session: Session, port: int, options: dict[str, Any] | None = None) -> None:
        page = files("pipelines.view")
        self.session = session
        self.page = {path: (page.joinpath(name).read_bytes(), kind) for path, (name, kind) in PAGE.items()}
        self.options = standard_options() | {"drivers": list(session.drivers)} | (options or {})
        super().__init__((HOST, port), _Handler)
        port_text = "" if self.server_port == 80 else f":{self.server_port}"
        self.hosts = {name + port_text for name in (HOST, "localhost")}

    @property
    def address(self) -> str:
        """What to open in a browser."""
        return f"http://{HOST}:{self.server_port}/"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A page that is closed while it is answered is no error."""


def standard_options() -> dict[str, Any]:
    """Names that the page offers."""
    return {
        "layers": list(get_args(Layer)),
        "weathers": list(get_args(WeatherName)),
        "roads": sorted(get_args(RoadKind)),
        "widths": list(WIDTHS_PX),
        "classes": [
            [label.name.lower().replace("_", " "), "#{:02x}{:02x}{:02x}".format(*rgb)] for label, rgb in COLOURS.items()
        ],
    }


class _Refused(Exception):
    """A request that is not answered, and why."""

    def __init__(self, status: HTTPStatus, why: str) -> None:
        super().__init__(why)
        self.status, self.why = status, why


class _Handler(BaseHTTPRequestHandler):
    server: ViewServer
    server_version, sys_version = "Roadloop", ""
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = MOST_IDLE_S

    def do_GET(self) -> None:
        self._answer(
            {path: partial(self._page, path) for path in PAGE} | {"/options": self._options, "/map": self._map}
        )

    def do_POST(self) -> None:
        self._answer({"/frame": self._frame, "/order": self._order})

    def _answer(self, paths: dict[str, Callable[[], None]]) -> None:
        try:
            self._check_sender()
            if self.path not in paths:
                raise _Refused(HTTPStatus.NOT_FOUND, "there is nothing at this address")
            paths[self.path]()
        except _Refused as refused:
            self.close_connection = True  # a body that was not read would be taken for the next request
            self._send(refused.status, refused.why.encode(), "text/plain; charset=utf-8")

    def _check_sender(self) -> None:
        host, origin = self.headers.get("Host", ""), self.headers.get("Origin")
        if host.lower() not in self.server.hosts:
            raise _Refused(HTTPStatus.MISDIRECTED_REQUEST, "this host is not served here")
        if origin is not None and origin.lower() != f"http://{host.lower()}":
            raise _Refused(HTTPStatus.FORBIDDEN, "other pages may not ask here")
        if self.headers.get("Sec-Fetch-Site", "none") not in ("same-origin", "none"):
            raise _Refused(HTTPStatus.FORBIDDEN, "other pages may not ask here")

    def _body(self) -> bytes:
        if self.headers.get_content_type() != "application/json":
            raise _Refused(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "send application/json")
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdigit()):
            raise _Refused(HTTPStatus.LENGTH_REQUIRED, "say how long the body is")
        if len(length) > 9 or int(length) > MOST_BODY_BYTES:
            raise _Refused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"at most {MOST_BODY_BYTES} bytes")
        return self.rfile.read(int(length))

    # ------------------------------------------------------------------------------------------------- what is asked

    def _page(self, path: str) -> None:
        content, kind = self.server.page[path]
        self._send(HTTPStatus.OK, content, kind)

    def _options(self) -> None:
        self._json(self.server.options)

    def _map(self) -> None:
        self._json(self.server.session.map() or {})

    def _frame(self) -> None:
        try:
            look = read_look(self._body())
        except ValueError as error:
            raise _Refused(HTTPStatus.BAD_REQUEST, str(error)) from None
        picture = self.server.session.look(look)
        if picture is None:
            self._json({"status": self.server.session.status()}, HTTPStatus.ACCEPTED)
            return
        text = json.dumps(picture.state, separators=(",", ":")).encode()
        self._send(HTTPStatus.OK, struct.pack(">I", len(text)) + text + picture.jpeg, "application/octet-stream")

    def _order(self) -> None:
        try:
            self.server.session.order(read_order(self._body()))
        except ValueError as error:
            raise _Refused(HTTPStatus.BAD_REQUEST, str(error)) from None
        self._send(HTTPStatus.NO_CONTENT, b"", "")

    # --------------------------------------------------------------------------------------------------- how to answer

    def _json(self, value: Any, status: HTTPStatus = HTTPStatus.OK) -> None:
        self._send(status, json.dumps(value, separators=(",", ":")).encode(), "application/json")

    def _send(self, status: HTTPStatus, content: bytes, kind: str) -> None:
        self.send_response(status)
        if status != HTTPStatus.NO_CONTENT:
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
        for name, value in (
            ("Cache-Control", "no-store"),
            ("Content-Security-Policy", POLICY),
            ("Cross-Origin-Resource-Policy", "same-origin"),
            ("X-Content-Type-Options", "nosniff"),
            ("Referrer-Policy", "no-referrer"),
        ):
            self.send_header(name, value)
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        """Thousands of pictures are asked for: nothing to note."""
