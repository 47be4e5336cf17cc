"""Log lines that never wait for their reader."""

from __future__ import annotations

import os
import socket
from pathlib import Path

from presence_server.server.steady_stream import SteadyStream

LINE = "x" * 99 + "\n"


def test_a_full_pipe_drops_lines_and_does_not_block() -> None:
    reader, writer = os.pipe()
    stream = SteadyStream(writer)
    for _ in range(5000):
        assert stream.write(LINE) == len(LINE)
    assert os.read(reader, 300) == LINE.encode() * 3
    # Others who share the file may still wait.
    assert os.get_blocking(writer)
    os.close(reader)
    stream.write(LINE)  # Its reader is gone.
    os.close(writer)


def test_a_full_socket_drops_lines_and_does_not_block() -> None:
    reader, writer = socket.socketpair()
    stream = SteadyStream(writer.fileno())
    for _ in range(20_000):
        stream.write(LINE)
    assert reader.recv(100) == LINE.encode()
    assert writer.getblocking()
    stream._socket.close()  # type: ignore[union-attr]
    reader.close()
    writer.close()


def test_a_file_gets_every_line(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with path.open("w") as file:
        stream = SteadyStream(file.fileno())
        stream.write("eins\n")
        stream.write("zw\udc80i\n")
        stream.flush()
        assert not stream.isatty()
    assert path.read_text() == "eins\nzw\\udc80i\n"
