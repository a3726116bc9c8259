"""The page's requests: who may ask, how much may be sent, and what an error becomes."""

from __future__ import annotations

import json
import secrets
import traceback
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gan_lightning.studio.sessions import Session, Sessions
from gan_lightning.studio.studio import Studio
from gan_lightning.studio.uploads import MOST_BYTES

_MOST_JSON = 1 << 20
_KINDS = {".html": "text/html; charset=utf-8", ".css": "text/css", ".js": "text/javascript"}
_PAGE = Path(__file__).parent / "page"
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""The page loads nothing but itself: no fonts, scripts or pictures of other hosts, even if one were named in it."""
_HEADERS = {
    "content-security-policy": _POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}

Work = Callable[[Session, dict[str, Any], bytes], Any]


class TooLarge(ValueError):
    """More was sent than is read."""


def application(studio: Studio, hosts: list[str]) -> Starlette:
    """The page and what it asks for.

    Args:
        studio: Does the work.
        hosts: Names by which the page may be asked for, so that no other site can lead a browser here; ``["*"]``: any.
    """
    sessions = Sessions()
    cookie = f"studio_{secrets.token_hex(4)}"  # Cookies know no ports: two studios of a machine keep apart.
    # Read once: a request names a file among these, and never a path.
    files = {file.name: file.read_bytes() for file in _PAGE.iterdir() if file.suffix in _KINDS}

    async def page(request: Request) -> Response:
        name = request.path_params.get("name", "index.html")
        if name not in files:
            return JSONResponse({"error": "There is no such page."}, 404)
        return Response(files[name], media_type=_KINDS[Path(name).suffix])

    def route(path: str, work: Work, most: int = _MOST_JSON) -> Route:
        async def answer(request: Request) -> Response:
            try:
                content = await _body(request, most)
                token, session = sessions.of(request.cookies.get(cookie))
                given = _json(content) if most == _MOST_JSON else dict(request.query_params)
                made = await run_in_threadpool(work, session, given, content)
            except TooLarge as error:
                return JSONResponse({"error": str(error)}, 413)
            except (ValueError, TypeError) as error:
                return JSONResponse({"error": " ".join(str(error).split())}, 400)
            except Exception as error:
                traceback.print_exc()
                return JSONResponse({"error": f"{type(error).__name__}: see the terminal."}, 500)
            response = (
                Response(made, media_type="application/octet-stream") if isinstance(made, bytes) else JSONResponse(made)
            )
            response.set_cookie(cookie, token, httponly=True, samesite="strict")
            return response

        return Route(path, answer, methods=["POST"])

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        yield
        studio.jobs.end()

    routes = [
        Route("/", page),
        Route("/page/{name}", page),
        *(route(f"/api/{name}", work) for name, work in _works(studio).items()),
        route("/api/give", studio.give, MOST_BYTES),
        route("/api/open", studio.open_latents, MOST_BYTES),
    ]
    guards = [Middleware(_SameOrigin), Middleware(TrustedHostMiddleware, allowed_hosts=hosts)]
    return Starlette(routes=routes, middleware=guards, lifespan=lifespan)


def _works(studio: Studio) -> dict[str, Work]:
    works: dict[str, Work] = {
        "listing": lambda session, given, content: studio.listing(),
        "offer": lambda session, given, content: studio.offer(given),
        "variations": lambda session, given, content: studio.variations(given),
        "job": lambda session, given, content: studio.job(session),
        "cancel": lambda session, given, content: studio.cancel(session),
    }
    own = ("picture", "latents", "undo", "forget", "invert", "paint", "keep", "other_latents", "compose", "translate")
    for name in own:
        works[name] = _of_session(getattr(studio, name))
    if (runs := studio.runs) is not None:
        works |= {
            "runs": lambda session, given, content: {"runs": runs.names()},
            "run": lambda session, given, content: runs.told(str(given.get("run"))),
            "run_picture": lambda session, given, content: runs.picture(
                str(given.get("run")), str(given.get("picture"))
            ),
        }
    return works


def _of_session(method: Callable[[Session, dict[str, Any]], Any]) -> Work:
    return lambda session, given, content: method(session, given)


def _json(content: bytes) -> dict[str, Any]:
    try:
        given = json.loads(content or b"{}")
    except ValueError:
        raise ValueError("What was sent is no JSON.") from None
    if not isinstance(given, dict):
        raise ValueError("What was sent is no JSON object.")
    return given


async def _body(request: Request, most: int) -> bytes:
    """What was sent, of which no more is ever held than is allowed.

    Raises:
        TooLarge: It is larger.
    """
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > most:
            raise TooLarge(f"More than {most >> 20} MiB: give a smaller file.")
        parts.append(part)
    return b"".join(parts)


class _SameOrigin:
    """Refuses what another site's page sends, and adds the headers of every answer."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                added = [(name.encode(), value.encode()) for name, value in _HEADERS.items()]
                message["headers"] = [*message.get("headers", []), *added]
            await send(message)

        request = Request(scope)
        origin = request.headers.get("origin")
        if origin is not None and urlsplit(origin).netloc != request.headers.get("host"):
            await JSONResponse({"error": "Another site's page cannot ask for this."}, 403)(
                scope, receive, send_with_headers
            )
            return
        await self.app(scope, receive, send_with_headers)
