"""The URL of a PostgreSQL, as hosting services write it.

libpq, Prisma, JDBC, SQLAlchemy, pgx and the services themselves each have parameters of their own.
A parameter is used, or it is left out and :class:`UnusedParameter` says why, or the URL is
refused with one line that names it. A parameter that asks for more security than the driver can
give is never left out.
"""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote

from msgspec import Struct

from .errors import StorageError
from .postgres_parameters import LEFT_OUT, NEVER_LEFT_OUT, SETTINGS, WRITABLE_TARGETS
from .postgres_tls import TlsRequest, tls_request

_USE = "use postgresql://user:password@host:port/database"
_PORT = 5432
_MAX_SHOWN = 60
_NUMBER = re.compile(r"-?[0-9]{1,9}(\.[0-9]{1,9})?")
_QUALIFIED = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)+", re.ASCII)
"""The name of a setting that belongs to an extension or an application."""


class UnusedParameter(Struct, frozen=True):
    """A parameter of the URL that the server leaves out, and the reason."""

    name: str
    reason: str


class PostgresTarget(Struct, frozen=True):
    """Where and how to connect.

    Attributes:
        hosts: host or socket folder, and port; they are tried in this order.
        user: None takes ``PGUSER`` or the name of the process's user.
        password: None takes ``PGPASSWORD`` or the password file.
        database: None takes ``PGDATABASE`` or the name of the user.
        passfile: the password file; None takes ``PGPASSFILE`` or ``~/.pgpass``.
        wants_writable: whether a host that takes no writes is passed over.
        tls: how TLS is used.
        startup: parameters sent when a connection begins.
        settings: settings of PostgreSQL for each transaction.
        connect_s: seconds that connecting may take; None is the server's own bound.
    """

    hosts: tuple[tuple[str, int], ...]
    user: str | None
    password: str | None
    database: str | None
    passfile: str | None
    wants_writable: bool
    tls: TlsRequest
    startup: dict[str, str]
    settings: dict[str, str]
    connect_s: float | None


class ParsedPostgresUrl(Struct, frozen=True):
    """A target, the URL without password and parameters, and the parameters left out."""

    target: PostgresTarget
    shown: str
    unused: tuple[UnusedParameter, ...]


def parse_postgres(url: str) -> ParsedPostgresUrl:
    """Read the URL.

    Args:
        url: with any scheme.

    Raises:
        StorageError: the URL cannot work; the text names the parameter and shows no password.
    """
    _, separator, rest = url.partition("://")
    if not separator:
        raise StorageError(f"database.url: names no host; {_USE}")
    _refuse_unescaped(rest)
    authority, path, query = _split(rest)
    login, _, hostspec = authority.rpartition("@")
    user, _, password = login.partition(":")
    values = _parameters(query)
    hosts = _hosts(hostspec, values)
    unused: list[UnusedParameter] = []
    tls = tls_request(values)
    target = PostgresTarget(
        hosts=hosts,
        user=_printable("user", values.pop("user", unquote(user))) or None,
        password=_printable("password", values.pop("password", unquote(password))) or None,
        database=_last(values, "dbname", "database")
        or _printable("dbname", unquote(path[1:]))
        or None,
        passfile=_passfile(values),
        wants_writable=_wants_writable(values, hosts),
        tls=tls,
        startup=_startup(values),
        settings={name: values.pop(name) for name in list(values) if _is_setting(name)},
        connect_s=_connect_s(values, unused),
    )
    unused += _leave_out(values)
    username = f"{user}@" if user else ""
    return ParsedPostgresUrl(target, f"postgresql://{username}{hostspec}{path}", tuple(unused))


def _refuse_unescaped(rest: str) -> None:
    """Refuse a login that ends early for every reader of URLs: the rest would be logged."""
    before_at = rest.partition("@")[0]
    path = rest.partition("?")[0].partition("/")[2]
    if ("@" in rest and any(mark in before_at for mark in "/?#")) or "@" in path or "#" in rest:
        raise StorageError("database.url: write / ? # @ in a user or password as %2F %3F %23 %40")


def _split(rest: str) -> tuple[str, str, str]:
    """Authority, path and query. ``urlsplit`` refuses lists of hosts and brackets in passwords."""
    before, _, query = rest.partition("?")
    authority, slash, path = before.partition("/")
    return authority, slash + path, query


def _parameters(query: str) -> dict[str, str]:
    """The parameters by name; the last of a name counts, and empty ones are the default."""
    values: dict[str, str] = {}
    for part in filter(None, query.split("&")):
        name, equals, value = part.partition("=")
        name = unquote(name)
        if not equals and name not in ("ssl", *LEFT_OUT):
            # It may be the rest of a password, so it is not shown.
            raise StorageError(
                "database.url: the text after ? is not name=value; "
                "write ? in a user or password as %3F"
            )
        values[name] = _printable(name, unquote(value))
        if name == "ssl":
            values[name] = values[name] or "true"
    return {name: value for name, value in values.items() if value}


def _printable(name: str, value: str) -> str:
    """The value. PostgreSQL ends a text at NUL, and no value has a line end on purpose."""
    if any(ord(character) < 32 for character in value):
        raise StorageError(f"database.url: {_shorten(name)}: has a control character in it")
    return value


def _hosts(hostspec: str, values: dict[str, str]) -> tuple[tuple[str, int], ...]:
    """Hosts and ports of the URL; the parameters ``host`` and ``port`` win, as in libpq."""
    named = values.pop("host", None) or (None if hostspec else values.pop("hostaddr", None))
    ports = values.pop("port").split(",") if "port" in values else []
    if named and not ports and hostspec:
        # The host of the URL gives way, and its port stays.
        ports = [port for spec in hostspec.split(",") if (port := _host_and_port(spec)[1])]
    specs = (named or unquote(hostspec)).split(",") if named or hostspec else []
    if not specs or not all(specs):
        raise StorageError(f"database.url: names no host; {_USE}")
    if len(ports) > 1 and len(ports) != len(specs):
        raise StorageError(f"database.url: port: {len(ports)} ports for {len(specs)} hosts")
    found = []
    for number, spec in enumerate(specs):
        host, port = _host_and_port(spec)
        if ports:
            port = ports[number] if len(ports) > 1 else ports[0]
        found.append((_checked_host(host), _checked_port(port)))
    return tuple(found)


def _host_and_port(spec: str) -> tuple[str, str]:
    if spec.startswith("/"):
        return spec, ""
    if spec.startswith("["):
        host, bracket, port = spec[1:].partition("]")
        if not bracket or (port and not port.startswith(":")):
            raise StorageError(f"database.url: {_shorten(spec)!r} is not a host; {_USE}")
        return host, port[1:]
    if spec.count(":") > 1:
        # An IPv6 address without brackets, as in ?host=::1.
        return spec, ""
    host, _, port = spec.partition(":")
    return host, port


def _checked_host(host: str) -> str:
    try:
        valid = bool(host) and not any(c.isspace() or c in "()<>[]\"'" for c in host)
        if valid and not host.startswith("/"):
            host.encode("idna")
    except UnicodeError:
        valid = False
    if not valid:
        raise StorageError(
            f"database.url: names no host: {_shorten(host)!r} is not a host name; {_USE}"
        )
    return host


def _checked_port(port: str) -> int:
    if not port:
        return _PORT
    if not (port.isascii() and port.isdigit() and 0 < int(port[:9]) <= 65535):
        raise StorageError(f"database.url: port: {_shorten(port)!r} is not a port; {_USE}")
    return int(port)


def _last(values: dict[str, str], *names: str) -> str | None:
    found = [values.pop(name) for name in names if name in values]
    return found[-1] if found else None


def _passfile(values: dict[str, str]) -> str | None:
    path = values.pop("passfile", None)
    if path is None:
        return None
    try:
        # asyncpg would leave out such a file without an error.
        if Path(path).stat().st_mode & 0o077:
            raise StorageError(f"database.url: passfile: others may read {path}; chmod 600 it")
        Path(path).open("rb").close()
    except OSError as error:
        raise StorageError(
            f"database.url: passfile: cannot read {path}: {error.strerror or error}"
        ) from None
    return path


def _wants_writable(values: dict[str, str], hosts: tuple[tuple[str, int], ...]) -> bool:
    """Whether to pass over hosts without writes: of several hosts some may be replicas."""
    wanted = values.pop("target_session_attrs", None) or values.pop("targetServerType", None)
    if wanted is None:
        return len(hosts) > 1
    if wanted == "any":
        return False
    if wanted not in WRITABLE_TARGETS:
        raise StorageError(
            f"database.url: target_session_attrs: {_shorten(wanted)!r} cannot work, since the "
            "server writes; use read-write, primary or any"
        )
    return True


def _startup(values: dict[str, str]) -> dict[str, str]:
    fallback = values.pop("fallback_application_name", "presence-server")
    startup = {"application_name": values.pop("application_name", fallback)}
    if "options" in values:
        startup["options"] = values.pop("options")
    return startup


def _is_setting(name: str) -> bool:
    return name.lower() in SETTINGS or _QUALIFIED.fullmatch(name) is not None


def _connect_s(values: dict[str, str], unused: list[UnusedParameter]) -> float | None:
    for name in ("connect_timeout", "connectTimeout"):
        text = values.pop(name, None)
        if text is None:
            continue
        if not _NUMBER.fullmatch(text):
            raise StorageError(f"database.url: {name}: {_shorten(text)!r} is not a number")
        seconds = float(text)
        if seconds > 0:
            return seconds
        unused.append(UnusedParameter(name, "connecting is always bounded"))
    return None


def _leave_out(values: dict[str, str]) -> list[UnusedParameter]:
    """The rest of the parameters, with the reason why each is left out.

    Raises:
        StorageError: a parameter must not be left out.
    """
    unused = []
    for name, value in values.items():
        known = LEFT_OUT.get(name)
        if known is not None:
            if value.lower() in known.refused:
                raise StorageError(
                    f"database.url: {name}={_shorten(value)} cannot work: {known.reason}"
                )
            unused.append(UnusedParameter(name, known.reason))
        elif name.lower().startswith(NEVER_LEFT_OUT):
            raise StorageError(
                f"database.url: {_shorten(name)}: cannot be used here; take it out or correct it"
            )
        else:
            unused.append(UnusedParameter(_shorten(name), "this server does not know it"))
    return unused


def _shorten(text: str) -> str:
    return text if len(text) <= _MAX_SHOWN else text[: _MAX_SHOWN - 3] + "..."
