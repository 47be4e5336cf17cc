"""Settings (protocol section 9).

:mod:`.sections` says what there is, :mod:`.sources` reads the environment and the TOML
file, :mod:`.model` puts them together.
"""

from .model import (
    Settings,
    SettingsError,
    load_server_settings,
    load_settings,
    setting_kinds,
)
from .sections import (
    AuthSettings,
    BoardSettings,
    CacheSettings,
    DatabaseSettings,
    LimitsSettings,
    LoggingSettings,
    QueueSettings,
    RedisSettings,
    ServerSettings,
    is_loopback,
)

__all__ = [
    "AuthSettings",
    "BoardSettings",
    "CacheSettings",
    "DatabaseSettings",
    "LimitsSettings",
    "LoggingSettings",
    "QueueSettings",
    "RedisSettings",
    "ServerSettings",
    "Settings",
    "SettingsError",
    "is_loopback",
    "load_server_settings",
    "load_settings",
    "setting_kinds",
]
