"""The sources of settings: the environment, files, TOML; and the text of problems."""

from __future__ import annotations

import difflib
import enum
import json
import re
import tomllib
import typing
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pydantic_core import ErrorDetails

PREFIX = "PRESENCE_"
SHORT_NAMES = {"DATABASE_URL": "database.url", "REDIS_URL": "redis.url"}
FROM_FILES = frozenset(
    {
        "database.url",
        "redis.url",
        "auth.jwt_secret",
        "auth.jwt_public_key",
        "auth.jwt_keys",
        "auth.admin_token",
    }
)
"""Secrets, and URLs that may hold one: never echoed, and readable from ``…_FILE``."""

# Kubernetes sets such variables in every pod for a Service called "presence" or
# "presence-server"; they are not misspelt settings.
_SERVICE_LINK = re.compile(r"_SERVICE_HOST$|_SERVICE_PORT(_\w+)?$|_PORT_\d+_(TCP|UDP|SCTP)(_\w+)?$")
_SERVICE_LINK_VALUE = re.compile(r"(tcp|udp|sctp)://")


class Kind(enum.Enum):
    """The form of a setting's value, for sources that hold text only."""

    SCALAR = "scalar"
    LIST = "list"
    TABLE = "table"


def kind_of(annotation: object) -> Kind:
    """The kind of a field with this type."""
    origin = typing.get_origin(annotation)
    if origin is tuple:
        return Kind.LIST
    return Kind.TABLE if origin is dict else Kind.SCALAR


@dataclass
class Layer:
    """The values of one source.

    Attributes:
        values: ``values[section][key]``.
        origins: by ``section.key``, the name of the variable that a value came from.
        problems: problems of reading the source, one line each.
    """

    values: dict[str, object]
    origins: dict[str, str] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


def nest(flat: Mapping[str, object]) -> dict[str, object]:
    """``{"a.b": 1}`` as ``{"a": {"b": 1}}``."""
    values: dict[str, object] = {}
    for name, value in flat.items():
        section, _, key = name.partition(".")
        if key:
            typing.cast(dict[str, object], values.setdefault(section, {}))[key] = value
        else:
            values[section] = value
    return values


def combined(layers: Iterable[Layer]) -> dict[str, object]:
    """Merge all layers; if several set the same setting, the first one wins.

    A table is not merged either: signing keys of a later layer must not stay valid.
    """
    values: dict[str, object] = {}
    for layer in layers:
        for section, keys in layer.values.items():
            known = values.setdefault(section, {} if isinstance(keys, dict) else keys)
            if isinstance(known, dict) and isinstance(keys, dict):
                for key, value in keys.items():
                    known.setdefault(key, value)
    return values


def read_toml(path: Path) -> Layer:
    """Read the layer of a TOML file; a file that cannot be read becomes a problem."""
    try:
        with path.open("rb") as file:
            return Layer(tomllib.load(file))
    except OSError as error:
        return Layer({}, problems=[f"{path}: {error.strerror or error}"])
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        return Layer({}, problems=[f"{path}: not TOML: {error}"])


def read_environment(environ: Mapping[str, str], kinds: Mapping[str, Kind]) -> Layer:
    """Read the layer of the environment.

    An empty or blank variable counts as not set: compose files and shells produce one for a
    value that they do not have.
    """
    layer = Layer({})
    flat: dict[str, object] = {}
    for name, text in sorted(environ.items(), key=_by_rank):
        key = _setting_of(name, text)
        text = text.strip()
        if key is None or not text:
            continue
        from_file = key.endswith("_file") and key.removesuffix("_file") in FROM_FILES
        key = key.removesuffix("_file") if from_file else key
        if layer.origins.get(key, "") + "_FILE" == name:
            layer.problems.append(f"{key}: set by both {layer.origins[key]} and {name}")
            continue
        if from_file:
            try:
                text = Path(text).read_text(encoding="utf-8-sig").strip()
            except (OSError, UnicodeDecodeError) as error:
                layer.problems.append(f"{key}: cannot read the file named by {name}: {error}")
                continue
        try:
            flat[key] = _parse(text, kinds.get(key, Kind.SCALAR))
        except ValueError as error:
            layer.problems.append(f"{key}: {error} (from {name})")
            continue
        layer.origins[key] = name
    layer.values = nest(flat)
    return layer


def _by_rank(item: tuple[str, str]) -> tuple[bool, str]:
    """Short names first, so that the long ones overwrite them."""
    return item[0].startswith(PREFIX), item[0]


def _setting_of(name: str, text: str) -> str | None:
    """The setting that a variable names, as ``section.key``; None for other variables."""
    short = SHORT_NAMES.get(name.removesuffix("_FILE"))
    if short is not None:
        return short + ("_file" if name.endswith("_FILE") else "")
    if not name.startswith(PREFIX) or name == f"{PREFIX}CONFIG":
        return None
    if _SERVICE_LINK.search(name) or _SERVICE_LINK_VALUE.match(text):
        return None
    section, separator, key = name.removeprefix(PREFIX).lower().partition("__")
    return f"{section}.{key}" if separator else section


def _parse(text: str, kind: Kind) -> object:
    if kind is Kind.SCALAR:
        return text
    if kind is Kind.LIST and not text.lstrip().startswith("["):
        return [part.strip() for part in text.split(",") if part.strip()]
    try:
        return json.loads(text)
    except ValueError:
        shape = "list" if kind is Kind.LIST else "object"
        raise ValueError(f"must be a JSON {shape}") from None


def describe(error: ErrorDetails, kinds: Iterable[str], origins: Mapping[str, str]) -> list[str]:
    """Describe each problem of a validation error in one line, without secrets."""
    path = [str(part) for part in error["loc"]]
    key = ".".join(path[:2])
    origin = _origin(key, origins)
    if error["type"] == "extra_forbidden":
        inside = error["input"] if len(path) == 1 else None
        unknown = [f"{key}.{name}" for name in inside] if isinstance(inside, dict) else [key]
        return [
            f"{name}: no such setting{_origin(name, origins)}; did you mean {nearest(name, kinds)}?"
            for name in unknown or [key]
        ]
    if error["type"] == "value_error":
        lines = str(error["ctx"]["error"]).split("\n")
        # A rule about several settings names them in its text.
        return lines if len(path) < 2 else [f"{key}: {line}{origin}" for line in lines]
    shown = error["input"]
    known = key not in FROM_FILES and isinstance(shown, str | int | float)
    got = f", not {shown!r}" if known else ""
    return [f"{key}: {error['msg'][0].lower()}{error['msg'][1:]}{got}{origin}"]


def _origin(key: str, origins: Mapping[str, str]) -> str:
    return f" (from {origins[key]})" if key in origins else ""


def nearest(name: str, settings: Iterable[str]) -> str:
    """The setting whose full name or key is most similar to ``name``."""
    wanted = name.lower()

    def likeness(setting: str) -> float:
        section, _, key = setting.partition(".")
        candidates = (setting, key, f"{section}_{key}")
        return max(difflib.SequenceMatcher(None, wanted, c).ratio() for c in candidates)

    return max(settings, key=likeness)
