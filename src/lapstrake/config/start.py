"""A starting configuration: every key with its default, and the built-in branch as a file."""

from __future__ import annotations

import json
from pathlib import Path

from lapstrake.config.branches import BUILT_IN, built_in_list
from lapstrake.config.edit import replace_file
from lapstrake.config.model import Config
from lapstrake.config.places import FILE_NAME, LISTS_NAME
from lapstrake.config.read import all_settings
from lapstrake.config.view import show
from lapstrake.errors import ConfigError
from lapstrake.formats.sources_list import ListStyle

_HEAD = """\
# The configuration of Lapstrake (TOML, see toml.io).
# Every key is here with its default; remove the # in front of a line to change it.
"""
_TABLES = """
# Where to fetch instead: URLs that start with the key are tried at each replacement, in order.
[mirrors]
#"https://old.example/pub/" = ["https://near.example/pub/", "https://far.example/pub/"]

# What a bundle calls a dependency, and the package that it is; "" leaves it out.
[dependency_names]
#"glibc" = "libc6"

# What builds may ask for by name; the value is in a variable or a file, never here.
[secrets]
#TOKEN = { env = "MY_TOKEN" }
"""
_NO_SOURCES = """\
# The packages of this branch: deb822 stanzas, see sources.list(5).
# Without any, the branch has those of the base OS.
"""


def write_start(folder: Path) -> tuple[Path, ...]:
    """Create a configuration that says what holds without one.

    Returns:
        the files that were written.

    Raises:
        ConfigError: there is a configuration already, or it cannot be written.
    """
    file = folder / FILE_NAME
    if file.exists():
        raise ConfigError(f"{file} is there already", resolution="Edit it, or remove it first.")
    lists = folder / LISTS_NAME
    written = []
    if not any((lists / f"{BUILT_IN}.{style}").exists() for style in ListStyle):
        branch = lists / f"{BUILT_IN}.{ListStyle.DEB822}"
        replace_file(branch, built_in_list().text or _NO_SOURCES)
        written.append(branch)
    replace_file(file, start_text())  # last: the folder counts once it has this file
    return (*written, file)


def start_text() -> str:
    """The starting file's text: all settings, commented out."""
    defaults = Config()
    parts = [_HEAD]
    section = ""
    for key, setting in all_settings().items():
        table, _, name = key.rpartition(".")
        if table != section:
            parts.append(f"\n[{table}]\n")
            section = table
        value = show(defaults, key).value
        example = setting.kind.example if value is None else value
        parts.append(f"\n# {setting.help}\n#{name} = {_toml(example)}\n")
    return "".join(parts) + _TABLES


def _toml(value: object) -> str:
    """A plain value as TOML: JSON's texts, numbers, truths and lists are TOML's too."""
    return json.dumps(value, ensure_ascii=False)
