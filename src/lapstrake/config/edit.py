"""Changing the configuration's file: comments stay, and a wrong file is never written."""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator, MutableMapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import cast

from lapstrake.config.load import read_file, read_text
from lapstrake.config.read import all_settings
from lapstrake.config.view import unknown_key
from lapstrake.errors import ConfigError

_NEW_FILE_MODE = 0o644


def set_value(file: Path, key: str, text: str) -> None:
    """Set a key of a configuration file.

    Args:
        file: the file; it must exist and be right.
        key: a setting, or an entry of a table: ``mirrors.PREFIX``, ``dependency_names.NAME``,
            ``secrets.NAME.env``, ``secrets.NAME.file``.
        text: the value as text; lists are divided by blanks, paths by colons.

    Raises:
        ConfigError: there is no such key, the value is wrong, or the file cannot be written.
    """
    path, value = _what_to_set(key, text)
    with _locked(file.parent):
        changed = _changed(read_file(file), file, path, value)
        read_text(changed, file=file)
        replace_file(file, changed)


def replace_file(file: Path, text: str) -> None:
    """Write a file whole or not at all: under a temporary name, synced, then renamed.

    A link is followed, so that it goes on pointing at the file.

    Raises:
        ConfigError: it cannot be written.
    """
    target = file.resolve()
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        mode = target.stat().st_mode & 0o7777 if target.exists() else _NEW_FILE_MODE
        handle, name = tempfile.mkstemp(prefix=f".{target.name}.", dir=target.parent)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as stream:
                stream.write(text)
                stream.flush()
                os.fchmod(stream.fileno(), mode)
                os.fsync(stream.fileno())
            Path(name).replace(target)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
        _sync_folder(target.parent)
    except OSError as error:
        raise ConfigError(f"{file} cannot be written: {error.strerror}") from error


def _what_to_set(key: str, text: str) -> tuple[tuple[str, ...], object]:
    """The path of a key in the file, and the value as TOML has it."""
    setting = all_settings().get(key)
    if setting is not None:
        value = setting.kind.plain(text)
        try:
            setting.kind.read(value)
        except ValueError as wrong:
            raise ConfigError(f"{key}: {wrong}") from wrong
        return tuple(key.split(".")), value
    table, _, entry = key.partition(".")
    if entry and table == "mirrors":
        return (table, entry), text.split()
    if entry and table == "dependency_names":
        return (table, entry), text
    name, _, how = entry.rpartition(".")
    if table == "secrets" and name and how in ("env", "file"):
        return (table, name), {how: text}
    raise unknown_key(key)


def _changed(text: str, file: Path, path: Sequence[str], value: object) -> str:
    """The file's text with one value set, everything else as it was."""
    import tomlkit  # slow to import, and only changes need it

    read_text(text, file=file)  # tomlkit's messages name no file, ours do
    document = tomlkit.parse(text)
    *tables, name = path
    place = cast(MutableMapping[str, object], document)
    for table in tables:
        if table not in place:
            place[table] = tomlkit.table()
        place = cast(MutableMapping[str, object], place[table])
    if isinstance(value, dict):
        inline = tomlkit.inline_table()
        inline.update(value)
        value = inline
    place[name] = value
    return tomlkit.dumps(document)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Let one process at a time change the files of a folder."""
    try:
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise ConfigError(f"{folder}: {error.strerror}") from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
