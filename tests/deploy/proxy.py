"""The proxies of ``deploy/`` on free ports in front of a server, by their own files.

Only names, ports and paths of the files are changed, since a test has no domain and no
``/var/log``; that each of them was there to be changed is checked.
"""

from __future__ import annotations

import contextlib
import getpass
import http.client
import os
import signal
import ssl
import subprocess
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio
from trio_websocket import wrap_client_stream

from presence_server.server import ListeningAddress
from tests import programs
from tests.certificates import self_signed
from tests.server.kit import PATIENCE_S, Client
from tests.server.raw import Answer
from tests.servers import free_port

DEPLOY = Path(__file__).parents[2] / "deploy"
HOST = "127.0.0.1"
PROXIES = [pytest.param(name, marks=getattr(pytest.mark, name)) for name in ("caddy", "nginx")]

_CADDY_OPTIONS = """
{
\tadmin off
\tskip_install_trust
\tauto_https disable_redirects
"""


class Proxy:
    """A proxy that runs: what its visitors see, and what it logs."""

    def __init__(self, folder: Path, port: int, http_port: int) -> None:
        self.port = port
        self.http_port = http_port
        """Where nginx sends those to HTTPS who came without."""
        self.authority = f"{HOST}:{port}"
        self._clients: list[Client] = []
        self._folder = folder
        self._certificates = [folder / "cert.pem", folder / "caddy/pki/authorities/local/root.crt"]

    @property
    def trust(self) -> ssl.SSLContext:
        """What believes its certificate."""
        found = next((path for path in self._certificates if path.exists()), None)
        return ssl.create_default_context(cafile=found)

    def logs(self) -> str:
        """All that it has written."""
        return "".join(path.read_text() for path in sorted(self._folder.glob("*.log")))

    async def secured(self, tcp: trio.SocketStream) -> trio.SSLStream[trio.SocketStream]:
        """The stream after the handshake, which a WebSocket client would wait for too long."""
        tls = trio.SSLStream(tcp, self.trust, server_hostname=HOST, https_compatible=True)
        await tls.do_handshake()
        return tls

    @asynccontextmanager
    async def visiting(self) -> AsyncIterator[trio.Nursery]:
        """A nursery for WebSockets, which end with it."""
        async with trio.open_nursery() as nursery:
            try:
                yield nursery
            finally:
                for client in self._clients:
                    await client.drop()
            nursery.cancel_scope.cancel()

    async def get(self, path: str, *, source: str = HOST, **headers: str) -> Answer:
        """An answer over HTTPS."""

        def fetch() -> Answer:
            connection = http.client.HTTPSConnection(
                HOST, self.port, timeout=PATIENCE_S, context=self.trust, source_address=(source, 0)
            )
            with contextlib.closing(connection):
                names = {name.replace("_", "-"): value for name, value in headers.items()}
                connection.request("GET", path, headers=names)
                response = connection.getresponse()
                received = {name.lower(): value for name, value in response.getheaders()}
                return Answer(response.status, received, response.read())

        return await trio.to_thread.run_sync(fetch)

    async def upgrade(self, query: str, *, source: str = HOST, **headers: str) -> Answer:
        """The answer to a handshake that is refused."""
        key = "AAAAAAAAAAAAAAAAAAAAAA=="
        given = {"Connection": "Upgrade", "Upgrade": "websocket", **headers}
        given |= {"Sec-WebSocket-Version": "13", "Sec-WebSocket-Key": key}
        return await self.get(f"/ws/boards/demo?{query}", source=source, **given)

    async def connect(
        self,
        nursery: trio.Nursery,
        query: str,
        *,
        source: str = HOST,
        subprotocols: Sequence[str] = (),
        **headers: str,
    ) -> Client:
        """A WebSocket from an address of this machine, open until the visit is over."""
        names = [(name.replace("_", "-").encode(), text.encode()) for name, text in headers.items()]
        sock = trio.socket.socket()
        try:
            await sock.bind((source, 0))
            with trio.fail_after(PATIENCE_S):
                await sock.connect((HOST, self.port))
                tls = await self.secured(trio.SocketStream(sock))
                websocket = await wrap_client_stream(
                    nursery,
                    tls,
                    self.authority,
                    f"/ws/boards/demo?{query}",
                    subprotocols=subprotocols,
                    extra_headers=names,
                )
        except BaseException:
            sock.close()
            raise
        self._clients.append(Client(websocket))
        return self._clients[-1]

    async def join(
        self, nursery: trio.Nursery, query: str, *, source: str = HOST, **headers: str
    ) -> Client:
        """Connect and take the snapshot."""
        client = await self.connect(nursery, query, source=source, **headers)
        await client.next_of("board:joined")
        return client


@asynccontextmanager
async def proxied(
    name: str, folder: Path, server: ListeningAddress, **changes: str
) -> AsyncIterator[Proxy]:
    """Caddy or nginx in front of a server; ``changes`` to the file, by the line to change."""
    proxy = Proxy(folder, free_port(), free_port())
    files = {"caddy": _caddyfile, "nginx": _nginx_conf}
    text = changed(files[name](proxy, folder, f"{server.host}:{server.port}"), changes)
    config = folder / f"{name}.conf"
    config.write_text(text)
    home = {"HOME": str(folder), "XDG_DATA_HOME": str(folder), "XDG_CONFIG_HOME": str(folder)}
    with (folder / "output.log").open("wb") as log:
        process = await trio.lowlevel.open_process(
            _command(name, config, folder),
            env={**os.environ, **home},
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        await _until_it_listens(proxy, process)
        yield proxy
    finally:
        with trio.CancelScope(shield=True):
            process.terminate()
            with trio.move_on_after(PATIENCE_S):
                await process.wait()
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
        print(proxy.logs())  # For the reader of a failure.


def changed(text: str, changes: Mapping[str, str]) -> str:
    """The text with every ``old`` as ``new``; each must be there."""
    for old, new in changes.items():
        assert old in text, old
        text = text.replace(old, new)
    return text


def _caddyfile(proxy: Proxy, folder: Path, upstream: str) -> str:
    text = (DEPLOY / "Caddyfile").read_text()
    names = {
        "\n{\n": _CADDY_OPTIONS,
        "presence.example.com {": f"https://{proxy.authority} {{",
        "127.0.0.1:8000": upstream,
    }
    return changed(text, names)


def _nginx_conf(proxy: Proxy, folder: Path, upstream: str) -> str:
    certfile, keyfile = self_signed(folder)
    bodies = "".join(
        f"    {kind}_temp_path {folder}/{kind};\n"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    text = (DEPLOY / "nginx.conf").read_text()
    names = {
        "127.0.0.1:8000": upstream,
        "user www-data;": f"user {getpass.getuser()};",
        "/run/nginx.pid": f"{folder}/nginx.pid",
        "/var/log/nginx": str(folder),
        "listen 80;": f"listen {HOST}:{proxy.http_port};",
        "listen 443 ssl": f"listen {proxy.authority} ssl",
        "server_name presence.example.com;": f"server_name {HOST};",
        "/etc/ssl/presence/fullchain.pem": str(certfile),
        "/etc/ssl/presence/privkey.pem": str(keyfile),
        "http {\n": "http {\n" + bodies,
    }
    return changed(text, names)


def _command(name: str, config: Path, folder: Path) -> list[str]:
    if name == "caddy":
        return [str(programs.caddy()), "run", "--adapter", "caddyfile", "--config", str(config)]
    nginx = [str(programs.nginx()), "-p", str(folder), "-c", str(config)]
    # What is not about requests goes where it was built to go, the same file on Debian.
    return [*nginx, "-e", f"{folder}/error.log", "-g", "daemon off;"]


async def _until_it_listens(proxy: Proxy, process: trio.Process) -> None:
    with trio.fail_after(PATIENCE_S):
        while process.poll() is None:
            # Caddy opens its port before it has made its certificate.
            with contextlib.suppress(OSError, trio.BrokenResourceError):
                tcp = await trio.open_tcp_stream(HOST, proxy.port)
                try:
                    await proxy.secured(tcp)
                finally:
                    await trio.aclose_forcefully(tcp)
                return
            await trio.sleep(0.05)
    raise AssertionError(f"the proxy did not start:\n{proxy.logs()}")
