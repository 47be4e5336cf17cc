"""All settings in one object, and the functions that load it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Self

from pydantic import ValidationError, model_validator
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from ..protocol.errors import PresenceError
from ..protocol.model import BoardLimits
from . import sources
from .auth import AuthSettings
from .sections import (
    BoardSettings,
    CacheSettings,
    DatabaseSettings,
    DocumentsSettings,
    LimitsSettings,
    LoggingSettings,
    ProfileSettings,
    QueueSettings,
    RedisSettings,
    ServerSettings,
)
from .values import Section

UPDATES_SHARE = 0.8
"""How much of ``limits.messages_per_s`` a client may use for its updates."""


class SettingsError(PresenceError):
    """The settings cannot be used.

    Attributes:
        problems: one line each, naming the setting as ``section.key``.
    """

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


class Settings(BaseSettings):
    """All settings, validated and frozen.

    Constructing one reads nothing from the environment; :func:`load_settings` does.
    """

    model_config = SettingsConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    server: ServerSettings = ServerSettings()
    database: DatabaseSettings = DatabaseSettings()
    documents: DocumentsSettings = DocumentsSettings()
    redis: RedisSettings = RedisSettings()
    cache: CacheSettings = CacheSettings()
    board: BoardSettings = BoardSettings()
    queue: QueueSettings = QueueSettings()
    profile: ProfileSettings = ProfileSettings()
    auth: AuthSettings = AuthSettings()
    limits: LimitsSettings = LimitsSettings()
    logging: LoggingSettings = LoggingSettings()

    @model_validator(mode="after")
    def _not_open_to_all(self) -> Self:
        auth = self.auth
        if auth.mode == "none" and not auth.allow_anonymous and not self.server.is_loopback:
            hosts = ", ".join(self.server.host)
            raise ValueError(
                f'auth.mode = "none" lets anybody in, and server.host = "{hosts}"'
                ' is not a loopback address; set auth.mode = "jwt" or auth.allow_anonymous = true'
            )
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read only the arguments: :func:`load_settings` reads the environment."""
        return (init_settings,)

    @classmethod
    def of(cls, values: Mapping[str, object]) -> Settings:
        """Defaults with these values by ``section.key`` on top; for tests and embedding.

        Raises:
            SettingsError: lists every problem.
        """
        return _build([sources.Layer(sources.nest(values))])

    def board_limits(self) -> BoardLimits:
        """The settings that the rules of a board depend on."""
        board, queue = self.board, self.queue
        return BoardLimits(
            capacity=board.capacity,
            heartbeat_interval_s=board.heartbeat_interval_s,
            timeout_s=board.timeout_s,
            idle_after_s=board.idle_after_s,
            away_after_s=board.away_after_s,
            leave_grace_s=board.leave_grace_s,
            reconnecting_after_s=board.reconnecting_after_s,
            reclaim_after_s=board.reclaim_after_s,
            cursor_interval_ms=board.cursor_interval_ms,
            # Faster than the cursors' pace is of no use, and the rest of the rate is for
            # heartbeats, pongs and tokens.
            updates_per_s=min(
                1000 / board.cursor_interval_ms, UPDATES_SHARE * self.limits.messages_per_s
            ),
            queue_enabled=queue.enabled,
            queue_limit=queue.limit,
            watch_limit=queue.watch_limit if queue.watch else 0,
            queue_grace_s=queue.grace_s,
            commit_wait_s=self.database.join_wait_s,
            sessions_per_user=self.limits.sessions_per_user,
            document_max_bytes=self.documents.max_bytes,
            documents_are_stored=self.database.documents,
        )


def load_settings(
    config_path: Path | None = None,
    overrides: Mapping[str, object] | None = None,
    environ: Mapping[str, str] = os.environ,
) -> Settings:
    """Load the settings from the command line, the environment, the TOML file, the defaults.

    Args:
        config_path: the TOML file; without one, the file named by ``PRESENCE_CONFIG``.
        overrides: options of the command line, by ``section.key``.
        environ: the environment.

    Raises:
        SettingsError: lists every problem of every source.
    """
    return _build(_layers(config_path, overrides or {}, environ))


def load_server_settings(
    config_path: Path | None = None, environ: Mapping[str, str] = os.environ
) -> ServerSettings:
    """Load only the section ``server``: a client needs the address, and lacks the secrets.

    Args:
        config_path: as for :func:`load_settings`.
        environ: as for :func:`load_settings`.

    Raises:
        SettingsError: lists every problem of the section ``server``.
    """
    layers = _layers(config_path, {}, environ)
    others = tuple(f"{name}." for name in Settings.model_fields if name != "server")
    problems = [p for layer in layers for p in layer.problems if not p.startswith(others)]
    section = sources.combined(layers).get("server", {})
    try:
        settings = ServerSettings.model_validate(section)
    except ValidationError as error:
        problems += _described(error, layers, "server")
    if problems:
        raise SettingsError(problems)
    return settings


def _layers(
    config_path: Path | None, overrides: Mapping[str, object], environ: Mapping[str, str]
) -> list[sources.Layer]:
    """The layers of all sources; the one that wins comes first."""
    if config_path is None and environ.get("PRESENCE_CONFIG"):
        config_path = Path(environ["PRESENCE_CONFIG"])
    layers = [
        sources.Layer(sources.nest(overrides)),
        sources.read_environment(environ, setting_kinds()),
    ]
    if config_path is not None:
        layers.append(sources.read_toml(config_path))
    return layers


def setting_kinds() -> dict[str, sources.Kind]:
    """Every setting as ``section.key``, with the kind of its value."""
    return {
        f"{section}.{key}": sources.kind_of(info.annotation)
        for section, field in Settings.model_fields.items()
        if isinstance(field.annotation, type) and issubclass(field.annotation, Section)
        for key, info in field.annotation.model_fields.items()
    }


def _build(layers: list[sources.Layer]) -> Settings:
    """Merge the layers, the first one wins, and validate the result."""
    values = sources.combined(layers)

    class Loaded(Settings):
        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            *_builtin: PydanticBaseSettingsSource,
            **_by_name: PydanticBaseSettingsSource,
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            return (InitSettingsSource(settings_cls, values),)

    problems = [problem for layer in layers for problem in layer.problems]
    try:
        loaded = Loaded()
    except ValidationError as error:
        problems += _described(error, layers)
    if problems:
        raise SettingsError(problems)
    return Settings(**{name: getattr(loaded, name) for name in Settings.model_fields})


def _described(error: ValidationError, layers: list[sources.Layer], *section: str) -> list[str]:
    """One line for each problem; ``section`` is the path of the model that was validated."""
    origins = {key: name for layer in layers for key, name in layer.origins.items()}
    kinds = setting_kinds()
    problems = []
    for details in error.errors(include_url=False):
        details["loc"] = (*section, *details["loc"])
        problems += sources.describe(details, kinds, origins)
    return problems
