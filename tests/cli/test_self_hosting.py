"""The commands for people who have the program and nothing else: settings, unit, health."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from presence_server.cli import run
from presence_server.cli.unit import unit_text
from presence_server.frozen import Form, program_path
from tests.certificates import self_signed

ROOT = Path(__file__).parents[2]
UNIT = (ROOT / "deploy" / "presence-server.service").read_text()


class TestConfigExample:
    def test_prints_the_default_settings_which_can_be_loaded(
        self, capsys: pytest.CaptureFixture[str], tmp_path: Path
    ) -> None:
        assert run(["config", "example"]) == 0
        text = capsys.readouterr().out
        assert text == (ROOT / "config" / "example.toml").read_text()
        path = tmp_path / "config.toml"
        path.write_text(text)
        assert run(["check-config", "--config", str(path)]) == 0


class TestUnit:
    def test_starts_the_program_where_it_is(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert run(["unit"]) == 0
        lines = capsys.readouterr().out.splitlines()
        (start,) = [line for line in lines if line.startswith("ExecStart=")]
        assert start == (
            f"ExecStart={program_path()} serve --config /etc/presence-server/config.toml"
        )

    def test_says_that_systemd_hides_the_homes(
        self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("presence_server.cli.unit.program_path", lambda: Path("/run/user/ps"))
        assert run(["unit"]) == 0
        assert "hides /run/user " in capsys.readouterr().err
        monkeypatch.setattr("presence_server.cli.unit.program_path", lambda: Path("/opt/ps"))
        assert run(["unit"]) == 0
        assert capsys.readouterr().err == ""

    def test_of_package_and_folder_is_the_one_in_deploy_but_for_the_path(self) -> None:
        program = Path("/opt/presence-server/bin/presence-server")
        body = UNIT.partition("\n\n")[2]
        for form in (Form.PACKAGE, Form.FOLDER):
            assert unit_text(program, form).endswith(body)

    def test_of_the_single_file_listens_to_the_child_and_signals_the_launcher_alone(self) -> None:
        lines = unit_text(Path("/opt/ps"), Form.FILE).splitlines()
        assert {"Type=notify", "NotifyAccess=all", "KillMode=mixed"} <= set(lines)

    def test_of_a_package_of_the_distribution_names_its_user(self) -> None:
        lines = unit_text(Path("/usr/bin/ps"), Form.FOLDER, user="presence").splitlines()
        assert {"User=presence", "Group=presence"} <= set(lines)
        assert "DynamicUser=yes" not in lines

    @pytest.mark.parametrize(
        ("path", "written"),
        [("/opt/100%/$x/ps", "/opt/100%%/$$x/ps"), ('/opt/my "own"/ps', '"/opt/my \\"own\\"/ps"')],
    )
    def test_writes_odd_paths_as_systemd_reads_them(self, path: str, written: str) -> None:
        assert f"ExecStart={written} serve" in unit_text(Path(path), Form.PACKAGE)


class TestHealth:
    def test_is_0_where_a_server_answers(self, capsys: pytest.CaptureFixture[str]) -> None:
        with answering(200) as port:
            assert run(["health", "--server", f"127.0.0.1:{port}"]) == 0
        assert capsys.readouterr() == ("", "")

    def test_asks_the_server_of_the_settings(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
        monkeypatch.setenv("PRESENCE_AUTH__ALLOW_ANONYMOUS", "true")
        monkeypatch.setenv("PRESENCE_SERVER__HOST", "0.0.0.0")
        with answering(200) as port:
            monkeypatch.setenv("PRESENCE_SERVER__PORT", str(port))
            assert run(["health"]) == 0

    def test_takes_any_certificate(self, tmp_path: Path) -> None:
        with answering(200, self_signed(tmp_path)) as port:
            assert run(["health", "--server", f"https://127.0.0.1:{port}"]) == 0

    def test_is_1_and_a_line_where_none_answers_well(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        with answering(503) as port:
            assert run(["health", "--server", f"http://127.0.0.1:{port}"]) == 1
        assert capsys.readouterr().err.endswith(": /healthz answers 503\n")
        for server in (f"http://127.0.0.1:{port}", "http://", "127.0.0.1:no"):
            assert run(["health", "--server", server, "--timeout", "1"]) == 1
            assert len(capsys.readouterr().err.splitlines()) == 1


@contextmanager
def answering(status: int, certificate: tuple[Path, Path] | None = None) -> Iterator[int]:
    """The port of a server that answers /healthz, and nothing else, with a status."""

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/healthz" else 404)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Answers) as server:
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            server.socket = context.wrap_socket(server.socket, server_side=True)
        thread = Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()
