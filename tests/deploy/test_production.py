"""The example of ``config/`` for production fits the proxies of ``deploy/``."""

from __future__ import annotations

import ipaddress
import re
from pathlib import Path

import pytest

from presence_server.settings import Settings, load_settings

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "config" / "production.toml").read_text()


def settings(path: Path, text: str) -> Settings:
    path.write_text(text)
    return load_settings(path, environ={"PRESENCE_AUTH__JWT_SECRET": "x" * 32})


@pytest.mark.parametrize("proxy", ["Caddyfile", "nginx.conf"])
def test_it_listens_where_the_proxy_looks_and_believes_nobody_else(
    proxy: str, tmp_path: Path
) -> None:
    server = settings(tmp_path / "config.toml", TEXT).server
    text = (ROOT / "deploy" / proxy).read_text()
    (upstream,) = re.findall(r"^\s+(?:reverse_proxy|server) ([\d.]+:\d+)\b", text, re.MULTILINE)
    (host,) = server.host
    assert f"{host}:{server.port}" == upstream
    assert server.trusted_proxies == (host,)
    assert f'server.trusted_proxies = ["{host}"]' in text


def test_the_lines_for_a_proxy_elsewhere_believe_one_address(tmp_path: Path) -> None:
    elsewhere = re.findall(r"^# +((?:host|trusted_proxies) = .*)$", TEXT, re.MULTILINE)
    assert len(elsewhere) == 2
    text = re.sub(r"^(host|trusted_proxies) = ", r"#\g<0>", TEXT, flags=re.MULTILINE)
    text = text.replace("[server]\n", "[server]\n" + "\n".join(elsewhere) + "\n")
    server = settings(tmp_path / "config.toml", text).server
    assert ipaddress.ip_address(server.host[0]).is_unspecified
    assert [network.num_addresses for network in server.trusted_networks] == [1]
