"""Who we are to a registry, from the files that docker's and podman's ``login`` write.

See docker-login(1) ("Credential stores") and containers-auth.json(5). A secret is in no argument
list, no message and no representation of a value.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lapstrake.errors import ConfigError, RegistryError
from lapstrake.host.process import find_program, run, tail

_HELPER = re.compile(r"[A-Za-z0-9._-]+\Z")
_HELPER_SECONDS = 60.0
_TOKEN_USER = "<token>"  # noqa: S105 - what helpers say in place of a user's name


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """What opens a registry.

    Attributes:
        user: the user's name.
        password: the password.
        refresh_token: what tokens are got with in place of a password.
        token: what is shown to the registry as it is.
    """

    user: str = ""
    password: str = field(default="", repr=False)
    refresh_token: str = field(default="", repr=False)
    token: str = field(default="", repr=False)


def find_credentials(host: str, name: str) -> Credentials | None:
    """Look up a repository's credentials: the first file that has some.

    Args:
        host: the registry, with its port.
        name: the repository; podman's file may have credentials for a part of a registry.

    Raises:
        ConfigError: a file is damaged.
        RegistryError: a helper failed.
    """
    for file in config_files(os.environ):
        document = _read(file)
        if document is None:
            continue
        found = _from_helpers(document, host) or _from_file(document, host, name, file)
        if found is not None:
            return found
    return None


def config_files(environment: Mapping[str, str]) -> Iterator[Path]:
    """The files that may have credentials, the one that counts most first."""
    home = Path(environment.get("HOME") or "/")
    runtime = environment.get("XDG_RUNTIME_DIR") or f"/run/containers/{os.getuid()}"
    runtime_file = "auth.json" if runtime.startswith("/run/containers/") else "containers/auth.json"
    if named := environment.get("REGISTRY_AUTH_FILE"):
        yield Path(named)
    yield Path(environment.get("DOCKER_CONFIG") or home / ".docker") / "config.json"
    yield Path(runtime) / runtime_file
    yield Path(environment.get("XDG_CONFIG_HOME") or home / ".config") / "containers/auth.json"


def _read(file: Path) -> dict[str, Any] | None:
    try:
        document = json.loads(file.read_bytes())
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return None
    except (OSError, ValueError) as damaged:
        raise ConfigError(f"{file}: cannot be read: {damaged}") from damaged
    if not isinstance(document, dict):
        raise ConfigError(f"{file}: holds no object")
    return document


def _from_file(document: dict[str, Any], host: str, name: str, file: Path) -> Credentials | None:
    """Credentials that are in the file itself; those for most of the name win."""
    entries = document.get("auths") or {}
    by_place = {_place(key): entry for key, entry in entries.items() if isinstance(entry, dict)}
    parts = [host, *name.split("/")]
    for count in range(len(parts), 0, -1):
        entry = by_place.get("/".join(parts[:count]))
        if entry and (found := _decoded(entry, f"{file}: auths: {'/'.join(parts[:count])}")):
            return found
    return None


def _place(key: str) -> str:
    """What an entry is for: docker writes URLs (``https://HOST/v1/``), podman ``HOST/NAME``."""
    _, scheme, rest = key.rpartition("://")
    return re.sub(r"/v[12]\Z", "", rest.rstrip("/")) if scheme else key.rstrip("/")


def _decoded(entry: dict[str, Any], where: str) -> Credentials | None:
    user, password = entry.get("username", ""), entry.get("password", "")
    if packed := entry.get("auth"):
        try:
            user, _, password = base64.b64decode(packed, validate=True).decode().partition(":")
        except (binascii.Error, TypeError, ValueError):
            # The chain of exceptions would have the secret in it.
            raise ConfigError(f"{where}: auth is not base64 of USER:PASSWORD") from None
    found = Credentials(
        user=user,
        password=password.rstrip("\0"),
        refresh_token=entry.get("identitytoken", ""),
        token=entry.get("registrytoken", ""),
    )
    return found if found != Credentials() else None


def _from_helpers(document: dict[str, Any], host: str) -> Credentials | None:
    """Ask the helper of this registry, or that of all."""
    by_place = {_place(key): name for key, name in (document.get("credHelpers") or {}).items()}
    for name in dict.fromkeys((by_place.get(host), document.get("credsStore"))):
        if name and (found := _ask_helper(str(name), host)):
            return found
    return None


def _ask_helper(name: str, host: str) -> Credentials | None:
    """Run ``docker-credential-NAME get``; it is the user's own, so it sees their environment."""
    program = find_program(f"docker-credential-{name}") if _HELPER.match(name) else None
    if program is None:
        raise RegistryError(
            f"{host}: the program docker-credential-{name}, which keeps the password, is missing"
        )
    asked = run(
        [program, "get"],
        timeout=_HELPER_SECONDS,
        error=RegistryError,
        doing=f"asking docker-credential-{name} about {host}",
        env=os.environ,
        stdin=host.encode(),
        allowed=range(-64, 256),  # a signal, too: what it said then may be a secret
    )
    if asked.status != 0:
        if "not found" in asked.text:
            return None
        raise RegistryError(f"{host}: docker-credential-{name} failed", details=tail(asked.stderr))
    try:
        answer = json.loads(asked.stdout)
        user, secret = str(answer["Username"]), str(answer["Secret"])
    except (ValueError, KeyError, TypeError):
        raise RegistryError(f"{host}: docker-credential-{name} said no JSON") from None
    if user == _TOKEN_USER:
        return Credentials(refresh_token=secret)
    return Credentials(user=user, password=secret)
