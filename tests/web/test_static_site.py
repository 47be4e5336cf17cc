"""The answers that are ready: pages and files, their codings, versions and validators."""

from __future__ import annotations

import gzip
import json
import re

import pytest

from presence_server.web.static_files import packaged, static_file, version_of
from presence_server.web.static_site import StaticAnswer, StaticSite

SITE = StaticSite({"X-Policy": "strict"})
MODULE = "/static/presence-bar.js"
IMMUTABLE = "public, max-age=31536000, immutable"


def find(path: str, method: str = "GET", **headers: str) -> StaticAnswer | None:
    """The answer to a request with these headers (``accept_encoding="gzip"``)."""
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return SITE.find(method, path, lambda name: [given[name]] if name in given else [])


def answer_to(path: str, method: str = "GET", **headers: str) -> StaticAnswer:
    found = find(path, method, **headers)
    assert found is not None
    names = [name.lower() for name, _ in found.headers]
    assert len(names) == len(set(names)), "every header once"
    assert dict(found.headers)["X-Policy"] == "strict"
    return found


def header(answer: StaticAnswer, name: str) -> str | None:
    return dict(answer.headers).get(name)


class TestContent:
    def test_is_compressed_for_those_who_take_that(self) -> None:
        plain, small = answer_to(MODULE), answer_to(MODULE, accept_encoding="gzip")
        assert header(plain, "Content-Encoding") is None
        assert header(small, "Content-Encoding") == "gzip"
        assert gzip.decompress(small.body) == plain.body
        assert len(small.body) < len(plain.body) / 2
        for each in (plain, small):
            assert header(each, "Vary") == "Accept-Encoding"
            assert header(each, "Content-Type") == "text/javascript; charset=utf-8"
            assert header(each, "Access-Control-Allow-Origin") == "*"
            assert header(each, "Accept-Ranges") == "none"

    def test_is_the_same_for_head(self) -> None:
        assert answer_to(MODULE, "HEAD") == answer_to(MODULE)

    def test_is_whole_though_a_range_was_asked_for(self) -> None:
        assert answer_to(MODULE, range="bytes=0-9") == answer_to(MODULE)

    def test_is_not_sent_to_those_who_take_no_coding_of_it(self) -> None:
        answer = answer_to(MODULE, accept_encoding="*;q=0")
        assert (answer.status, answer.body) == (406, b"")
        assert header(answer, "Vary") == "Accept-Encoding"

    def test_that_does_not_become_smaller_is_not_compressed(self) -> None:
        assert list(static_file(b"x", "text/css").bodies) == ["identity"]
        assert list(static_file(b"x" * 1000, "image/png").bodies) == ["identity"]


class TestValidators:
    def test_differ_between_codings(self) -> None:
        tags = {header(answer_to(MODULE, accept_encoding=c), "ETag") for c in ("", "gzip")}
        assert len(tags) == 2

    @pytest.mark.parametrize("form", ["{}", "W/{}", '"x", {}', '"x",W/{} ', "*"])
    def test_that_the_client_has_are_answered_without_the_content(self, form: str) -> None:
        first = answer_to(MODULE, accept_encoding="gzip")
        etag = header(first, "ETag")
        again = answer_to(MODULE, accept_encoding="gzip", if_none_match=form.format(etag))
        assert (again.status, again.body) == (304, b"")
        names = {name for name, _ in again.headers}
        assert names == {"ETag", "Cache-Control", "Vary", "Access-Control-Allow-Origin", "X-Policy"}
        assert header(again, "ETag") == etag

    def test_of_another_coding_are_not_enough(self) -> None:
        etag = header(answer_to(MODULE), "ETag")
        assert etag is not None
        assert answer_to(MODULE, accept_encoding="gzip", if_none_match=etag).status == 200


class TestAddresses:
    def test_with_the_version_never_change(self) -> None:
        plain = answer_to(MODULE)
        fixed = answer_to(f"/static/v/{SITE.version}/presence-bar.js")
        assert fixed.body == plain.body
        assert header(plain, "Cache-Control") == "no-cache"
        assert header(fixed, "Cache-Control") == IMMUTABLE

    def test_tell_the_version_to_those_who_write_pages(self) -> None:
        answer = answer_to("/static/version.json")
        assert json.loads(answer.body) == {"version": SITE.version}
        assert header(answer, "Cache-Control") == "no-cache"

    def test_with_another_version_go_on_and_are_not_kept(self) -> None:
        answer = answer_to("/static/v/0123/presence-bar.js")
        assert (answer.status, header(answer, "Cache-Control")) == (200, "no-cache")

    def test_have_another_version_when_one_file_changes_or_has_another_name(self) -> None:
        one, other = static_file(b"1", "text/css"), static_file(b"2", "text/css")
        versions = {
            version_of(table)
            for table in ({"a": one}, {"a": other}, {"b": one}, {"a": one, "b": other})
        }
        assert len(versions) == 4
        assert version_of({"a": one, "b": other}) == version_of({"b": other, "a": one})

    @pytest.mark.parametrize(("path", "folder"), [("/", "static/"), ("/boards/d", "../static/")])
    def test_in_pages_have_the_version_and_the_pages_have_none(
        self, path: str, folder: str
    ) -> None:
        page = answer_to(path)
        assert header(page, "Cache-Control") == "no-cache"
        assert header(page, "Access-Control-Allow-Origin") is None
        addresses = re.findall(r'(?:src|href)="([^"#]+)"', page.body.decode())
        assert len(addresses) >= 5
        for address in addresses:
            assert address.startswith(f"{folder}v/{SITE.version}/")
            found = answer_to("/static/" + address.removeprefix(folder))
            assert header(found, "Cache-Control") == IMMUTABLE

    @pytest.mark.parametrize(
        "path",
        [
            "/static/none.js",
            "/static/../app.py",
            "/static/",
            "/static/v/",
            "/static/v/presence-bar.js",
            f"/static/v/{SITE.version}",
            f"/static/v/{SITE.version}/v/{SITE.version}/presence-bar.js",
            "/boards/a%20b",
            "/boards/",
            "/healthz",
        ],
    )
    def test_of_anything_else_are_for_the_application(self, path: str) -> None:
        assert find(path) is None

    def test_are_only_read(self) -> None:
        assert find(MODULE, "POST") is None
        assert find("/favicon.ico", "DELETE") is None

    def test_of_every_file_are_answered(self) -> None:
        for name, file in packaged().items():
            assert answer_to(f"/static/{name}").body == file.body
