"""The pages and files of the server, and the answer to each request for one of them.

The gateway asks here before it calls the web application: an answer that is ready costs no
task, and its connection may stay open.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cache

from msgspec import Struct, json

from ..protocol.profile import is_board_id
from .encodings import IDENTITY, choose
from .static_files import StaticFile, edited, packaged, static_file, version_of

_STATIC = "/static/"
_VERSIONS = "/static/v/"
_BOARDS = "/boards/"
_REVALIDATE = "no-cache"
_IMMUTABLE = "public, max-age=31536000, immutable"
_METHODS = frozenset({"GET", "HEAD"})


class StaticAnswer(Struct, frozen=True):
    """The answer to a request; one to HEAD is the same without its body.

    Attributes:
        status: 200, 304, or 406 if the client takes no coding of the file.
        headers: names and values, without those about the connection and the length.
        body: the content; empty for 304.
    """

    status: int
    headers: Sequence[tuple[str, str]]
    body: bytes


class _Found(Struct, frozen=True):
    file: StaticFile
    cache_control: str
    is_public: bool
    """Whether pages of other sites may use it: the client library is not secret."""


class _Pages(Struct, frozen=True):
    """The files, and the pages with the addresses of this version of the files."""

    files: Mapping[str, StaticFile]
    version: str
    board: StaticFile
    index: StaticFile


@cache
def _pages() -> _Pages:
    version = version_of(packaged())
    # For those who write pages: the address of a file that browsers keep.
    note = json.encode({"version": version})
    files = {**packaged(), "version.json": static_file(note, "application/json")}

    def with_version(page: bytes) -> bytes:
        return page.replace(b'"../static/', b'"../static/v/%s/' % version.encode())

    def one_level_up(page: bytes) -> bytes:
        # The addresses are relative, so that a proxy may serve the pages under any path.
        return with_version(page).replace(b'"../static/', b'"static/')

    page = files["board.html"]
    return _Pages(files, version, edited(page, with_version), edited(page, one_level_up))


class StaticSite:
    """Finds the answers.

    Args:
        headers: the headers that every answer of the server carries.
    """

    def __init__(self, headers: Mapping[str, str]) -> None:
        self._headers = tuple(headers.items())
        self._pages = _pages()

    @property
    def version(self) -> str:
        """What ``/static/v/`` is followed by in the addresses of this version of the files."""
        return self._pages.version

    def find(
        self, method: str, path: str, values_of: Callable[[str], Sequence[str]]
    ) -> StaticAnswer | None:
        """Find the answer to a request without a body.

        Args:
            method: such as GET.
            path: the path of its target, without the query.
            values_of: returns the values of a header, by its name in lower case.

        Returns:
            The answer; None if the path is none of a page or file, or the method not to read.
        """
        found = self._find(path) if method in _METHODS else None
        if found is None:
            return None
        coding = choose(values_of("accept-encoding"), list(found.file.bodies)[:-1])
        if coding is None:
            return StaticAnswer(406, [*self._headers, ("Vary", "Accept-Encoding")], b"")
        etag = found.file.etag(coding)
        headers = [("ETag", etag), ("Cache-Control", found.cache_control), *self._headers]
        if len(found.file.bodies) > 1:
            headers.append(("Vary", "Accept-Encoding"))
        if found.is_public:
            headers.append(("Access-Control-Allow-Origin", "*"))
        if _has_it(values_of("if-none-match"), etag):
            # Nothing about a content that is not sent (RFC 9110 section 15.4.5).
            return StaticAnswer(304, headers, b"")
        headers.append(("Content-Type", found.file.content_type))
        headers.append(("Accept-Ranges", "none"))
        if coding != IDENTITY:
            headers.append(("Content-Encoding", coding))
        return StaticAnswer(200, headers, found.file.bodies[coding])

    def _find(self, path: str) -> _Found | None:
        pages = self._pages
        if path.startswith(_STATIC):
            return self._find_file(path)
        if path == "/":
            return _Found(pages.index, _REVALIDATE, is_public=False)
        if path.startswith(_BOARDS) and is_board_id(path.removeprefix(_BOARDS)):
            return _Found(pages.board, _REVALIDATE, is_public=False)
        if path == "/favicon.ico":
            # Browsers request it by themselves when they show JSON.
            return _Found(pages.files["favicon.svg"], _REVALIDATE, is_public=False)
        return None

    def _find_file(self, path: str) -> _Found | None:
        name, cache_control = path.removeprefix(_STATIC), _REVALIDATE
        if path.startswith(_VERSIONS):
            version, _, name = path.removeprefix(_VERSIONS).partition("/")
            if version == self._pages.version:
                cache_control = _IMMUTABLE
            # A page of another version, from before an upgrade, goes on with these files.
        file = self._pages.files.get(name)
        return None if file is None else _Found(file, cache_control, is_public=True)


def _has_it(values: Sequence[str], etag: str) -> bool:
    """Whether `If-None-Match` names the validator (RFC 9110 section 13.1.2: compared weakly)."""
    tags = [tag.strip().removeprefix("W/") for tag in ",".join(values).split(",")]
    return etag in tags or "*" in tags
