"""The page of all settings."""

from __future__ import annotations

import inspect
from collections.abc import Iterator

from generators.markdown import NOTE, table, toml_text
from lapstrake.config.model import Config
from lapstrake.config.read import all_settings
from lapstrake.config.setting import sections_of
from lapstrake.config.view import show

# Defaults that are one host's: what the reference says in their place.
_HOSTS_OWN = {
    "arch": "this machine's",
    "base.suite": "the host's release",
    "artifacts.folder": "`artifacts/` below `work_dir`",
    "cache.download_dir": "`~/.cache/lapstrake/downloads`",
    "work_dir": "`/var/lib/lapstrake` for root, else `~/.local/share/lapstrake`",
}


def configuration() -> str:
    """Every setting, from the dataclasses that declare it."""
    defaults = Config()
    sections = sections_of(Config)
    parts = [NOTE, _CONFIGURATION_HEAD]
    current = None
    rows: list[tuple[str, ...]] = []
    for key, setting in all_settings().items():
        section, _, name = key.rpartition(".")
        if section != current:
            parts += _section(rows)
            rows = []
            current = section
            title = inspect.getdoc(sections[section]) if section else "At the top of the file."
            parts.append(f"## {f'[{section}]' if section else 'Top'}\n\n{_title(str(title))}\n")
        rows.append((f"`{name}`", setting.help, _default(defaults, key, setting.variables[1:])))
    return "\n".join([*parts, *_section(rows), _CONFIGURATION_TABLES])


def _section(rows: list[tuple[str, ...]]) -> Iterator[str]:
    if rows:
        yield table(("key", "what it is", "default"), rows)


def _title(text: str) -> str:
    """``[base]``: the base OS.  →  The base OS."""
    title = text.splitlines()[0].partition(": ")[2] or text
    return title[:1].upper() + title[1:]


def _default(defaults: Config, key: str, variables: tuple[str, ...]) -> str:
    shown = show(defaults, key).value
    unset = shown in (None, "", [])
    text = _HOSTS_OWN.get(key) or ("not set" if unset else f"`{toml_text(shown)}`")
    also = ", ".join(f"`{name}`" for name in variables)
    return f"{text} (also {also})" if also else text


_CONFIGURATION_HEAD = """\
# Configuration

The configuration is a folder with `config.toml` and `source_lists/`. The first of these that has a
`config.toml` holds: the folder of `-c`, of `$LAPSTRAKE_CONFIG`, `~/.config/lapstrake`,
`/etc/lapstrake`, `/etc/aoinb-builder`, `/var/cache/aoinb/conf`. Without any, a built-in
configuration holds, with one branch `stable` made of the host's own release.

`lapstrake config init` writes a starting file with every key explained, `lapstrake config` shows
all values and where each came from.

A value is set by, strongest first: `--set KEY=VALUE`, the variable `LAPSTRAKE_<KEY>` (dots become
underscores: `LAPSTRAKE_LIMITS_MEMORY`), `config.toml`, the default. Sizes are written as `"4GiB"`
or `"500 MB"`, durations as `"90s"`, `"1h30m"`.

`source_lists/NAME.list` (one-line style) or `source_lists/NAME.sources` (deb822 style) makes the
branch `NAME`; see sources.list(5).
"""
_CONFIGURATION_TABLES = """\
## [mirrors] and [[rewrite]]

Where to fetch instead. URLs that begin with the key are tried at each replacement, in order; of
several keys that fit, the longest holds. The URL itself is not tried unless it is among them. The
checksum holds in any case.

```toml
[mirrors]
"https://old.example/pub/" = ["https://near.example/pub/", "https://far.example/pub/"]

[[rewrite]]
from = "https://old.example/one-file.tar.gz"
to = "https://near.example/moved.tar.gz"
```

`debian:///` is built in: it stands for the archive that the host's own apt is set up with.

## [dependency_names]

What a bundle calls a dependency, and the package that it is in the branch; `""` leaves it out.

```toml
[dependency_names]
"glibc" = "libc6"
```

## [secrets]

What builds may ask for by name. The value is in a variable or a file, never in the configuration.

```toml
[secrets]
TOKEN = { env = "MY_TOKEN" }
KEY = { file = "/etc/keys/build.key" }
```
"""
