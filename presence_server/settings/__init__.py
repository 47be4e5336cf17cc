"""Every setting of the server, from four sources (section 9 of the protocol).

:mod:`.sections` and :mod:`.auth` list the settings, :mod:`.sources` reads the environment
and the TOML file, :mod:`.loading` merges the sources and validates the result.
"""

from .auth import AuthSettings
from .loading import (
    Settings,
    SettingsError,
    load_server_settings,
    load_settings,
    setting_kinds,
)
from .sections import (
    BoardSettings,
    CacheSettings,
    DatabaseSettings,
    LimitsSettings,
    LoggingSettings,
    ProfileSettings,
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
    "ProfileSettings",
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
