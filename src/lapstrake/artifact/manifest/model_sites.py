"""The model of ``[[site]]``; importing this loads pydantic."""

from __future__ import annotations

import re
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, ConfigDict, Field, model_validator

from lapstrake.config.tables import Line, Table

SITE_KINDS = ("url", "folder", "github", "gitea", "oci", "bucket")
"""The keys of which a ``[[site]]`` has exactly one."""

_OPTIONS = {
    "url": ("headers", "query"),
    "folder": (),
    "github": ("tag", "token", "api", "server"),
    "gitea": ("tag", "token", "api"),
    "oci": ("plain",),
    "bucket": (),
}
_REFERENCE = re.compile(r"\$\{([^}]*)\}?")
_VARIABLE = re.compile(r"\$\{[A-Za-z_][A-Za-z0-9_]*\}")


def _references(text: str) -> str:
    """Check ``${VARIABLE}``: it is filled in much later, when a site is asked."""
    for found in _REFERENCE.finditer(text):
        if not _VARIABLE.fullmatch(found[0]):
            raise ValueError(f"{found[0]!r} is no variable such as ${{TOKEN}}")
    return text


def _literal(text: str) -> str:
    if "${" in text:
        raise ValueError("variables are filled in only in headers, query and token")
    return text


Filled = Annotated[Line, AfterValidator(_references)]
Literally = Annotated[Line, AfterValidator(_literal)]
HeaderName = Annotated[str, Field(pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]+$")]


class SiteTable(Table):
    """One place to look at. ``${VARIABLE}`` in headers, query and token is filled in when asked."""

    model_config = ConfigDict(
        json_schema_extra={"oneOf": [{"required": [kind]} for kind in SITE_KINDS]}
    )

    url: Literally | None = Field(
        default=None, description="A folder on a web server (or `file:///...`)."
    )
    folder: Literally | None = Field(
        default=None, description="A folder of this host, relative to the package; `~` is home."
    )
    github: Literally | None = Field(
        default=None, description="OWNER/NAME: releases of a repository on GitHub."
    )
    gitea: Literally | None = Field(
        default=None, description="HOST/OWNER/NAME: releases of a repository on Gitea or Forgejo."
    )
    oci: Literally | None = Field(
        default=None, description="HOST/NAME: a repository of an OCI registry."
    )
    bucket: Literally | None = Field(
        default=None, description="`s3://BUCKET/PREFIX` or `gs://BUCKET/PREFIX`."
    )
    tag: Literally | None = Field(
        default=None, description='Of github and gitea: the release; "v" and the version if unset.'
    )
    token: Filled | None = Field(
        default=None,
        description='Of github and gitea: "${VARIABLE}", unless the forge\'s own variable is set.',
    )
    api: bool = Field(
        default=False,
        description="Of github and gitea: ask only the API, not the public address first.",
    )
    server: Literally | None = Field(
        default=None, description="Of github: the URL of a GitHub of one's own."
    )
    headers: dict[HeaderName, Filled] = Field(default={}, description="Of url: sent along.")
    query: dict[Line, Filled] = Field(default={}, description="Of url: put behind it.")
    plain: bool = Field(default=False, description="Of oci: talk without TLS.")

    @property
    def kind(self) -> str:
        """Which of `SITE_KINDS` it is."""
        return next(kind for kind in SITE_KINDS if getattr(self, kind) is not None)

    @model_validator(mode="after")
    def _is_one_site(self) -> SiteTable:
        kinds = [kind for kind in SITE_KINDS if getattr(self, kind) is not None]
        if len(kinds) != 1:
            found = " and ".join(kinds) or "none of them"
            raise ValueError(f"needs exactly one of {', '.join(SITE_KINDS)}, has {found}")
        (kind,) = kinds
        for option in dict.fromkeys(name for names in _OPTIONS.values() for name in names):
            if option in self.model_fields_set and option not in _OPTIONS[kind]:
                raise ValueError(f"{option} does not go with {kind}")
        if problem := _problem(kind, getattr(self, kind)):
            raise ValueError(f"{kind}: {problem}")
        if self.server is not None and (problem := _problem("url", self.server)):
            raise ValueError(f"server: {problem}")
        return self


def _problem(kind: str, text: str) -> str:
    """What is wrong with the address of a site, or nothing."""
    if kind == "url":
        return _url_problem(text)
    shape, example = _SHAPES.get(kind, (re.compile(""), ""))
    return "" if shape.match(text) else f"{text!r} is not such as {example}"


def _url_problem(text: str) -> str:
    try:
        parts = urlsplit(text)
        good = (parts.scheme in ("http", "https") and bool(parts.hostname)) or (
            parts.scheme == "file" and parts.netloc in ("", "localhost") and bool(parts.path)
        )
        _ = parts.port  # checked when it is asked for
    except ValueError as wrong:
        return f"{text!r} is no URL: {wrong}"
    if good and "@" in parts.netloc:
        return "a name or password in the URL would be shown: use headers, with a ${VARIABLE}"
    return "" if good else f"{text!r} is no URL of http, https or file"


_WORD = r"[A-Za-z0-9_][A-Za-z0-9_.-]*"
_SHAPES = {
    "github": (re.compile(rf"{_WORD}/{_WORD}\Z"), '"nerves-project/toolchains"'),
    "gitea": (
        re.compile(rf"(https?://)?[A-Za-z0-9][A-Za-z0-9.:-]*(/{_WORD}){{2,}}\Z"),
        '"codeberg.org/owner/name"',
    ),
    "oci": (
        re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]*(:[0-9]{1,5})?(/[a-z0-9]+([._-]+[a-z0-9]+)*)+\Z"),
        '"registry.example/team/artifacts"',
    ),
    "bucket": (re.compile(r"(s3|gs)://[a-z0-9][a-z0-9._-]+(/.*)?\Z"), '"s3://bucket/prefix"'),
}
