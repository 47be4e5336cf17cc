"""Kinds of values that several sections use, with their ranges."""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    PlainValidator,
    SecretStr,
    model_validator,
)

YEAR_S = 366 * 86400.0


def _split_at_commas(value: object) -> object:
    return [part.strip() for part in value.split(",")] if isinstance(value, str) else value


def _as_text_if_one(value: tuple[str, ...]) -> str | tuple[str, ...]:
    return value[0] if len(value) == 1 else value


Hosts = Annotated[
    tuple[Annotated[str, Field(min_length=1)], ...],
    BeforeValidator(_split_at_commas),
    PlainSerializer(_as_text_if_one),
    Field(min_length=1),
]
"""One address or name, or several: a list, or text with commas."""

MAX_PROCESSES = 128


def _process_count(value: object) -> object:
    """A number of processes, or ``auto``.

    Raises:
        ValueError: it is neither.
    """
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 3:
        value = int(value)
    if value == "auto" or (type(value) is int and 1 <= value <= MAX_PROCESSES):
        return value
    raise ValueError(f'must be a whole number from 1 to {MAX_PROCESSES}, or "auto"')


Processes = Annotated[int | Literal["auto"], PlainValidator(_process_count)]
"""How many processes serve: a number, or one for each core."""

Duration = Annotated[float, Field(gt=0, le=YEAR_S)]
Grace = Annotated[float, Field(ge=0, le=YEAR_S)]
Count = Annotated[int, Field(ge=1, le=1_000_000_000)]


def url_of(*schemes: str, one_host: bool = True) -> AfterValidator:
    """A validator that accepts URLs of these schemes; ``postgresql+driver`` counts, too.

    Args:
        schemes: in small letters.
        one_host: whether the URL names one host. ``urlsplit`` refuses a list of hosts; the reader
            of such a URL checks the rest.
    """

    def check(url: str) -> str:
        # Readers of URLs drop some of these silently, and break at others.
        if any(ord(character) < 0x20 or ord(character) == 0x7F for character in url):
            raise ValueError("must hold no control characters")
        scheme, separator, _ = url.partition("://")
        try:
            _ = urlsplit(url).port if one_host else None
        except ValueError:
            separator = ""
        if not separator or scheme.lower().partition("+")[0] not in schemes:
            # The text leaves the URL out: it may hold a password.
            raise ValueError(f"must be a URL of the kind {', '.join(f'{s}://' for s in schemes)}")
        return url

    return AfterValidator(check)


DatabaseUrl = Annotated[str, url_of("sqlite", "postgresql", "postgres", one_host=False)]
RedisUrl = Annotated[str, url_of("redis", "rediss", "unix")]


def stripped(value: object) -> object:
    """A value without the white space around its texts, those in lists and tables included."""
    match value:
        case str():
            # Editors of some systems begin a file with a byte order mark.
            return value.strip().removeprefix("\ufeff").strip()
        case dict():
            return {name: stripped(inner) for name, inner in value.items()}
        case list() | tuple():
            return type(value)(stripped(inner) for inner in value)
        case SecretStr():
            return SecretStr(str(stripped(value.get_secret_value())))
        case _:
            return value


class Section(BaseModel):
    """One table of the TOML file; it refuses unknown keys and infinite numbers."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        allow_inf_nan=False,
        hide_input_in_errors=True,
        validate_default=True,
    )

    @model_validator(mode="before")
    @classmethod
    def _without_white_space(cls, values: object) -> object:
        """Strip every text, whatever source it comes from: no value begins or ends with blanks."""
        return stripped(values)
