"""Write the pages of docs/reference that follow from the code.

``./dev docs`` runs it; a test keeps the files equal to what it writes.
"""

from __future__ import annotations

import sys
from pathlib import Path

from generators.aosc_templates import aosc_templates
from generators.command_line import command_line
from generators.configuration import configuration
from generators.exit_codes import exit_codes
from generators.farm import farm_api, python_client
from generators.picture import modules_picture
from generators.toml_files import native_bundles, packages

from lapstrake.artifact.manifest.schema import schema_text

HERE = Path(__file__).resolve().parent


def pages() -> dict[str, str]:
    """All generated files: path below docs/ → text."""
    return {
        "reference/command-line.md": command_line(),
        "reference/configuration.md": configuration(),
        "reference/exit-codes.md": exit_codes(),
        "reference/native-bundles.md": native_bundles(),
        "reference/packages.md": packages(),
        "reference/aosc-templates.md": aosc_templates(),
        "reference/farm-api.md": farm_api(),
        "reference/python-client.md": python_client(),
        "reference/lapstrake.toml.schema.json": schema_text(),
        "pictures/modules.svg": modules_picture(),
    }


def main() -> int:
    """Write the files that differ; with ``--check`` only name them, and fail."""
    check = "--check" in sys.argv[1:]
    differing = []
    for name, text in pages().items():
        file = HERE / name
        if not file.exists() or file.read_text() != text:
            differing.append(name)
            if not check:
                file.write_text(text)
    for name in differing:
        print(f"{'differs' if check else 'written'}: docs/{name}")  # noqa: T201
    return 1 if check and differing else 0


if __name__ == "__main__":
    sys.exit(main())
