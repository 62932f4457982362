"""The reading of pages: a test that every page passes would show nothing otherwise."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from pages import Page, matches, new_mark, read_page

_PAGE = """\
Write this:

<!-- file: folder/a file -->
```sh
echo 'it works'
```

Then

```console
$ sh 'folder/a file'
it ...
$ printf '%s\\n' one \\
>     two
one
two
```

<!-- fails: 3 -->
```console
$ exit_with() { return 3; }; exit_with
```

<!-- not run: it needs a moon -->
```console
$ moon
```

```text
$ no command
```
"""


def _page(folder: Path, text: str) -> Page:
    file = folder / "page.md"
    file.write_text(text)
    return read_page(file)


def _complaints(page: Page, folder: Path) -> list[str]:
    mark = new_mark()
    done = subprocess.run(
        ["bash", "-s"], input=page.script(mark), cwd=folder, capture_output=True, text=True
    )
    return list(page.complaints(done.stdout, mark))


def test_a_page_is_its_commands_and_files(tmp_path: Path) -> None:
    page = _page(tmp_path, _PAGE)
    assert [step.line for step in page.steps] == [4, 11, 13, 21]
    assert page.steps[2].expected == ("one", "two")
    assert page.omitted == ((25, "it needs a moon"),)
    assert _complaints(page, tmp_path) == []


@pytest.mark.parametrize(
    "old, new, complaint",
    [
        ("it ...\n", "it fails\n", "the page shows:\nit fails\nit printed:\nit works"),
        ("fails: 3", "fails: 4", "status 3, not 4"),
        ("return 3; }; exit_with", "return 3; }; exit 0", "the shell ended early"),
        ("two\n```", "```", "it printed:\none\ntwo"),
    ],
)
def test_a_wrong_page_is_told(tmp_path: Path, old: str, new: str, complaint: str) -> None:
    assert old in _PAGE
    (told,) = _complaints(_page(tmp_path, _PAGE.replace(old, new)), tmp_path)
    assert complaint in told


@pytest.mark.parametrize(
    "expected, printed, same",
    [
        (["a", "...", "z"], ["a", "b", "c", "z"], True),
        (["a", "...", "z"], ["a", "z"], True),
        (["a", "...", "z"], ["a", "b"], False),
        (["built hello ... in ... s"], ["built hello 2.10-3 in 4.2 s"], True),
        (["a  "], ["  a"], True),
        (["a.c"], ["abc"], False),
        ([], ["anything"], True),
    ],
)
def test_three_dots_stand_for_anything(expected: list[str], printed: list[str], same: bool) -> None:
    assert matches(expected, printed) is same
