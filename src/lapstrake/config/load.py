"""Find and read the configuration: the only place where its file and the environment are read."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from lapstrake.config.model import Config
from lapstrake.config.places import FILE_NAME, find_config_dir
from lapstrake.config.read import Given, read_config
from lapstrake.errors import ConfigError


def load_config(asked: Path | None = None, *, overrides: Mapping[str, str] | None = None) -> Config:
    """Load the configuration that holds here.

    Args:
        asked: the folder that ``-c`` names.
        overrides: settings of the command line, key → text.

    Raises:
        ConfigError: it is missing or wrong; the brief names file, line and key.
    """
    folder = find_config_dir(asked)
    file = folder / FILE_NAME if folder else None
    return read_text(
        read_file(file) if file else "",
        file=file,
        environment=os.environ,
        overrides=overrides or {},
    )


def read_text(
    text: str,
    *,
    file: Path | None,
    environment: Mapping[str, str] | None = None,
    overrides: Mapping[str, str] | None = None,
) -> Config:
    """Read a configuration's text as if it were the content of `file`.

    Raises:
        ConfigError: it is wrong.
    """
    given = Given(environment=environment or {}, overrides=overrides or {})
    if file is not None:
        given = _given(text, file, given)
    return read_config(given)


def read_file(file: Path) -> str:
    """The text of a configuration file.

    Raises:
        ConfigError: it cannot be read, or is not UTF-8.
    """
    try:
        return file.read_text("utf-8")
    except OSError as error:
        raise ConfigError(f"{file}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        line = file.read_bytes()[: error.start].count(b"\n") + 1
        raise ConfigError(f"{file}:{line}: this is not UTF-8") from error


def _given(text: str, file: Path, given: Given) -> Given:
    import tomllib  # only when there is a file
    from dataclasses import replace

    from lapstrake.config.locate import locate, syntax_error

    try:
        raw = tomllib.loads(text)
    except RecursionError as error:
        raise ConfigError(f"{file}: lists or tables are nested too deep") from error
    except ValueError as error:  # TOMLDecodeError, and numbers with thousands of digits
        line, what = syntax_error(error, text)
        raise ConfigError(f"{file}:{line}: not TOML: {what}", resolution="See toml.io.") from error
    return replace(given, raw=raw, lines=locate(text), file=file)
