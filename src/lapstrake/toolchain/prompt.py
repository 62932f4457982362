"""How a shell is started so that its prompt says where one is."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePath

from lapstrake.toolchain.files import folder_of

_BASH = """\
[ ! -f ~/.bashrc ] || . ~/.bashrc
PS1="({mark}) $PS1"
"""
_ZSH = """\
ZDOTDIR=${{LAPSTRAKE_ZDOTDIR:-$HOME}}
[ ! -f "$ZDOTDIR/.zshrc" ] || . "$ZDOTDIR/.zshrc"
PS1="({mark}) $PS1"
"""
_FISH = """\
functions -c fish_prompt lapstrake_prompt
function fish_prompt
    echo -n '({mark}) '
    lapstrake_prompt
end
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """A shell's command line, more variables for it, and files that it reads, by whole path."""

    argv: tuple[str, ...]
    variables: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, str] = field(default_factory=dict)


def shell_start(environ: Mapping[str, str], *, files: PurePath) -> Start:
    """Say how the user's shell is started.

    Args:
        environ: its environment: ``SHELL``, and the target's compiler for the mark.
        files: below it are the folders of generated files.
    """
    program = environ.get("SHELL") or "/bin/sh"
    name = PurePath(environ.get("CROSSCOMPILE", "cross")).name
    mark = re.sub(r"[^\w.+-]", "_", name)  # a package may have set it, and shells read it
    match PurePath(program).name:
        case "bash":
            file = _file(files, "bashrc", _BASH.format(mark=mark))
            return Start(argv=(program, "--rcfile", *file, "-i"), files=file)
        case "zsh":
            file = _file(files, ".zshrc", _ZSH.format(mark=mark))
            folder = str(PurePath(*file).parent)
            own = environ.get("ZDOTDIR", "")
            return Start(
                argv=(program, "-i"),
                variables={"ZDOTDIR": folder, "LAPSTRAKE_ZDOTDIR": own},
                files=file,
            )
        case "fish":
            return Start(argv=(program, "-C", _FISH.format(mark=mark), "-i"))
        case _:
            return Start(argv=(program, "-i"), variables={"PS1": f"({mark}) $ "})


def _file(root: PurePath, name: str, text: str) -> dict[str, str]:
    return {str(folder_of({name: text}, root) / name): text}
