"""Lines of keys in TOML files."""

from __future__ import annotations

import tomllib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lapstrake.config.locate import KeyPath, locate, syntax_error

DOCUMENT = '''\
# first
top = 1

"quoted key" = """
[not.a.header]
a = 1
"""
list = [
  "a", # ]
  { deep = 1 },
]
dotted.inner = 2
[table]
key = { inline = "x" }
[table.sub]
x = 1
[[many]]
x = 1
[many.below]
y = 1

[[many]]
x = 2
'''


def test_every_kind_of_statement() -> None:
    assert locate(DOCUMENT) == {
        ("top",): 2,
        ("quoted key",): 4,
        ("list",): 8,
        ("list", 1): 8,
        ("list", 1, "deep"): 8,
        ("dotted",): 12,
        ("dotted", "inner"): 12,
        ("table",): 13,
        ("table", "key"): 14,
        ("table", "key", "inline"): 14,
        ("table", "sub"): 15,
        ("table", "sub", "x"): 16,
        ("many", 0): 17,
        ("many", 0, "x"): 18,
        ("many", 0, "below"): 19,
        ("many", 0, "below", "y"): 20,
        ("many", 1): 22,
        ("many", 1, "x"): 23,
    }


VALUES = [
    "1",
    '"[x]"',
    '"""\n\n[a]\nb = 1\n"""',
    "'''\n#\n'''",
    "[\n1,\n2,\n]",
    "[ # c\n'''\n]''' ]",
    "true # x = 1",
    '"\u2028"',
]


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["", "\n", "# note = 1\n", "\n# [x]\n"]),
            st.sampled_from(VALUES),
            st.booleans(),
        ),
        max_size=12,
    )
)
def test_lines_are_those_that_we_wrote(parts: list[tuple[str, str, bool]]) -> None:
    text = ""
    expected: dict[KeyPath, int] = {}
    header: KeyPath = ()
    for index, (before, value, new_table) in enumerate(parts):
        text += before
        if new_table:
            header = (f"t{index}",)
            expected[header] = text.count("\n") + 1
            text += f"[t{index}]\n"
        expected[(*header, f"k{index}")] = text.count("\n") + 1
        text += f"k{index} = {value}\n"
    tomllib.loads(text)
    assert locate(text) == expected


@pytest.mark.parametrize(
    ("text", "line"), [("a = 1\nb = \n", 2), ("a = [\n\n", 1), ("a = 1\na = 2\n", 2), ("= 1", 1)]
)
def test_lines_of_syntax_errors(text: str, line: int) -> None:
    with pytest.raises(tomllib.TOMLDecodeError) as caught:
        tomllib.loads(text)
    found, message = syntax_error(caught.value, text)
    assert found == line
    assert "at line" not in message
    assert "end of document" not in message
