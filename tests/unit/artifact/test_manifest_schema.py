"""The JSON schema of ``lapstrake.toml``: one file for bundles, packages and projects."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from lapstrake.artifact.manifest.read import read_manifest
from lapstrake.artifact.manifest.schema import schema_text
from lapstrake.errors import ProjectError
from project import PROJECT

PACKAGE = {"name": "x", "type": "system", "version": "1"}
SITE = {"github": "a/b", "tag": "v1"}
DEPENDENCY = {"git": "https://example.org/b", "tag": "v1"}
GOOD: list[dict[str, Any]] = [
    {"package": PACKAGE},
    {"package": PACKAGE, "site": [SITE], "dependencies": {"b": DEPENDENCY}},
    {"package": PACKAGE, "runner": {"memory": "1GiB", "volumes": {"a": "/b"}}},
    {"package": PACKAGE, "platform": {"build": ["make", ["make", "install"]]}},
    {"project": {"name": "app"}, "firmware": {"overlays": ["a"]}, "overrides": {"b": {}}},
    {"package": {"name": "greet", "version": "1", "description": "a bundle"}},
]
BAD: list[dict[str, Any]] = [
    {"package": {**PACKAGE, "type": "sytem"}},
    {"package": {**PACKAGE, "colour": "red"}},
    {"package": PACKAGE, "steps": {}},
    {"package": PACKAGE, "site": [{**SITE, "oci": "a/b"}]},
    {"package": PACKAGE, "runner": {"cpus": 0}},
    {"package": PACKAGE, "env": {"A": 1}},
    {"project": {"name": "app"}, "site": [SITE]},
    {"package": {"name": "greet", "version": "1", "description": "d"}, "site": [SITE]},
]


@pytest.fixture(scope="module")
def validator() -> jsonschema.Draft202012Validator:
    schema = json.loads(schema_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


@pytest.mark.parametrize("document", GOOD)
def test_what_it_lets_pass(
    document: dict[str, Any], validator: jsonschema.Draft202012Validator
) -> None:
    validator.validate(document)


@pytest.mark.parametrize("document", BAD)
def test_what_it_refuses(
    document: dict[str, Any], validator: jsonschema.Draft202012Validator
) -> None:
    assert not validator.is_valid(document)


def test_the_example_of_the_reference_is_right(
    validator: jsonschema.Draft202012Validator, tmp_path: Path
) -> None:
    page = (PROJECT / "docs" / "reference" / "packages.md").read_text()
    (example,) = re.findall(r"```toml\n(.*?)```", page.partition("\n## ")[0], re.DOTALL)
    validator.validate(tomllib.loads(example))
    (tmp_path / "lapstrake.toml").write_text(example)
    with pytest.raises(ProjectError, match="there is no file 'board_defconfig'"):
        read_manifest(tmp_path)
    (tmp_path / "board_defconfig").write_text("")
    (tmp_path / "VERSION").write_text("1.0\n")
    assert read_manifest(tmp_path).version == "1.0"
