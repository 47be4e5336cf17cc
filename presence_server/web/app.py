"""The web application: pages, health, metrics, and the headers of every answer."""

from __future__ import annotations

from http import HTTPStatus

import structlog
from quart import Response, request
from quart_trio import QuartTrio
from werkzeug.exceptions import HTTPException
from werkzeug.routing import BaseConverter

from ..protocol.errors import HttpError
from ..protocol.profile import is_board_id
from .answers import HealthAnswer, error_response, json_response
from .api import create_api
from .cors import add_cors_headers
from .openapi import JSON, Route, describe
from .policies import policies
from .ports import WebPorts
from .static_site import StaticSite

log = structlog.get_logger(__name__)

METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"
MAX_BODY_BYTES = 16_384
"""No route reads a body, so a larger one is refused."""


class AnyText(BaseConverter):
    """Any characters, slashes and line ends too: the routes check ids and answer 400, not 404."""

    regex = "(?s:.+?)"
    part_isolating = False


def create_app(ports: WebPorts) -> QuartTrio:
    """Create the application, for an ASGI server that runs on Trio."""
    app = QuartTrio("presence_server.web", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
    # This application answers exceptions itself, under a test client too.
    app.config["PROPAGATE_EXCEPTIONS"] = False
    app.url_map.converters["any_text"] = AnyText
    app.url_map.merge_slashes = False
    app.register_blueprint(create_api(ports))
    headers = policies(ports.avatar_hosts)
    _add_pages(app, StaticSite(headers))
    _add_health(app, ports)
    _add_errors(app)
    _add_description(app)

    @app.after_request
    async def with_headers(response: Response) -> Response:
        for name, value in headers.items():
            response.headers.setdefault(name, value)
        add_cors_headers(response, ports.allowed_origins)
        return response

    return app


def _add_pages(app: QuartTrio, site: StaticSite) -> None:
    """Add the pages and files; the gateway answers most requests for them by itself."""

    def respond() -> Response:
        answer = site.find("GET", request.path, request.headers.getlist)
        if answer is None:
            raise HttpError(404, "NOT_FOUND", "there is no such file")
        # An empty body, not None: for None, Quart iterates on asyncio.
        response = Response(answer.body, status=answer.status)
        if answer.status != HTTPStatus.OK:
            del response.headers["Content-Type"]
        response.headers.update(answer.headers)
        return response

    @app.get("/")
    async def index() -> Response:
        return respond()

    @app.get("/boards/<any_text:board_id>")
    async def board(board_id: str) -> Response:
        if not is_board_id(board_id):
            raise HttpError(400, "INVALID_BOARD_ID", "this is not the name of a board")
        return respond()

    @app.get("/favicon.ico")
    async def favicon() -> Response:
        return respond()

    @app.get("/static/<any_text:name>")
    async def static(name: str) -> Response:
        return respond()


def _add_health(app: QuartTrio, ports: WebPorts) -> None:
    @app.get("/healthz")
    async def healthz() -> Response:
        return json_response(HealthAnswer())

    @app.get("/readyz")
    async def readyz() -> Response:
        readiness = await ports.ready()
        serving = readiness.status in ("ready", "degraded")
        return json_response(readiness, 200 if serving else 503)

    @app.get("/metrics")
    async def metrics() -> Response:
        response = Response(await ports.metrics_text(), content_type=METRICS_TYPE)
        response.headers["Cache-Control"] = "no-store"
        return response


def _add_description(app: QuartTrio) -> None:
    """Add `/openapi.json`, after all routes that it describes."""

    @app.get("/openapi.json")
    async def openapi() -> Response:
        response = Response(document, content_type=JSON)
        # Pages of other sites may show the document: it is not a secret.
        response.headers["Access-Control-Allow-Origin"] = "*"
        return response

    document = describe(
        Route(rule.endpoint, rule.rule, frozenset(rule.methods or ()))
        for rule in app.url_map.iter_rules()
    )


def _add_errors(app: QuartTrio) -> None:
    @app.errorhandler(HttpError)
    async def ours(error: HttpError) -> Response:
        return error_response(error)

    @app.errorhandler(HTTPException)
    async def routing(error: HTTPException) -> Response:
        code = (error.name or "error").upper().replace(" ", "_")
        status = error.code or 500
        headers = {
            name: value
            for name, value in error.get_headers()
            if name.lower() not in ("content-type", "content-length")
        }
        return error_response(HttpError(status, code, _MESSAGES.get(status, code), headers))

    @app.errorhandler(Exception)
    async def fault(error: Exception) -> Response:
        log.error("request failed", exc_info=error)
        return error_response(HttpError(500, "INTERNAL", "the server made a mistake"))


_MESSAGES = {
    404: "there is no such page",
    405: "the method is not allowed here",
    413: "the body is too large",
}
