"""Our evaluator against bash itself: it may refuse, but never give another value."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from lapstrake.errors import BundleError, LapstrakeError
from lapstrake.formats.shell import Value, evaluate
from lapstrake.host import process

# Each argument is a file; it is sourced in a subshell of its own, after what "+FILE" arguments
# before it named. Output: NAME, kind, number of elements, elements; an empty name ends a file.
_DUMP = r"""
declare -A __old
for __name in $(compgen -v); do __old[$__name]=1; done
for __name in __old __name __file __first __kind PIPESTATUS BASH_ARGC BASH_ARGV BASH_ARGV0; do
  __old[$__name]=1
done
__first=
for __file in "$@"; do
  if [[ $__file == +* ]]; then __first=${__file#+}; continue; fi
  (
    if [[ $__first ]]; then . "$__first"; fi
    . "$__file"
    for __name in $(compgen -v); do
      [[ ${__old[$__name]} ]] && continue
      declare -n __value=$__name
      __kind=text
      [[ ${__value@a} == *a* ]] && __kind=array
      printf '%s\0%s\0%s\0' "$__name" "$__kind" "${#__value[@]}"
      (( ${#__value[@]} )) && printf '%s\0' "${__value[@]}"
      unset -n __value
    done
  )
  printf '\0'
  __first=
done
"""


def bash_values(
    files: Sequence[tuple[Path, ...]], *, variables: dict[str, str]
) -> list[dict[str, Value]]:
    """Source each file (after the other one of its tuple, if any) in a bash of its own.

    Raises:
        LapstrakeError: bash complained about something.
    """
    arguments: list[str] = []
    for *before, file in files:
        arguments += [f"+{earlier}" for earlier in before]
        arguments.append(str(file))
    clean = ["env", "-i", "LC_ALL=C.UTF-8"]
    clean += [f"{name}={value}" for name, value in variables.items()]
    completed = process.run(
        [*clean, "bash", "--norc", "--noprofile", "-c", _DUMP, "bash", *arguments],
        timeout=600,
        error=LapstrakeError,
    )
    if completed.stderr:
        raise LapstrakeError("bash complained", details=completed.stderr.decode())
    return list(_values(iter(completed.text.split("\0")), len(files)))


def _values(fields: Iterator[str], count: int) -> Iterator[dict[str, Value]]:
    for _ in range(count):
        found: dict[str, Value] = {}
        while name := next(fields):
            kind, size = next(fields), int(next(fields))
            elements = tuple(next(fields) for _ in range(size))
            found[name] = elements if kind == "array" else elements[0]
        yield found


START = "VER=1.2-rc.3+x\nNAME='lib foo*'\nEMPTY=\nLIST=(a 'b c' \"\")\nNONE=()\nP='*.'\n"
"""Assignments that every text begins with."""

names = st.sampled_from(["VER", "NAME", "EMPTY", "LIST", "NONE", "P", "UNSET", "X"])
plain = st.text(alphabet="aAr.1+-_/,:@%^=#! ", min_size=1, max_size=4).map(
    lambda text: text.replace(" ", "")
)
words = st.one_of(plain, st.sampled_from(["é", "日本", "1.2", "rc", "foo", "-", "."]))
quoted = st.one_of(
    st.text(alphabet='ab .*?[]{}()~$"`\\\n&;|<>#', max_size=5).map(lambda text: f"'{text}'"),
    st.text(alphabet="ab .*?[]{}()~'\n&;|<>#", max_size=5).map(lambda text: f'"{text}"'),
    st.sampled_from([r"\.", r"\-", r"\~", r"\ ", "\\\n", r"\*", r"\'", r"\"", r"\$", r'"\a"']),
)
patterns = st.lists(
    st.one_of(
        words,
        quoted,
        st.sampled_from(["*", "?", "[a-r]", "[!.]", "[", "$P", "${VER}", "+", ".", ".*", "??"]),
    ),
    max_size=4,
).map("".join)
operators = st.one_of(
    st.tuples(st.sampled_from(["%", "%%", "#", "##"]), patterns).map("".join),
    st.tuples(st.sampled_from(["/", "//", "/#", "/%"]), patterns, words).map(
        lambda parts: f"{parts[0]}{parts[1]}/{parts[2].replace('/', '')}"
    ),
    st.tuples(st.sampled_from(["/", "//"]), patterns).map("".join),
    st.tuples(st.integers(-9, 9), st.integers(-9, 9)).map(lambda pair: f": {pair[0]}:{pair[1]}"),
    st.integers(0, 20).map(lambda offset: f":{offset}"),
    st.tuples(st.sampled_from([":-", "-", ":+", "+"]), words).map("".join),
    st.sampled_from(["", "[@]", "[*]", "[0]", "[1]", "[7]", ":-'a  b'", ":-$VER", ":-${NAME}"]),
)
expansions = st.one_of(
    names.map(lambda name: f"${name}"),
    st.tuples(names, operators).map(lambda parts: "${" + "".join(parts) + "}"),
)
in_quotes = st.lists(
    st.one_of(words, expansions, st.just("\\\n"), st.just("it's")), max_size=4
).map(lambda parts: '"' + "".join(parts) + '"')
values = st.lists(st.one_of(words, quoted, expansions, in_quotes), max_size=4).map("".join)
blanks = st.sampled_from([" ", "\t", "\n", " \\\n ", "  # text ' \" $( \n"])
arrays = st.lists(st.tuples(values, blanks).map("".join), max_size=4).map(
    lambda elements: "(" + "".join(elements) + ")"
)
statements = st.tuples(
    st.sampled_from(["X", "Y", "LIST", "EMPTY", "NONE", "export X", "export Y"]),
    st.sampled_from(["=", "=", "+="]),
    st.one_of(values, arrays),
    st.sampled_from(["\n", "\n", " ", ";", "; # end\n", " # end\n", "\n\n"]),
).map("".join)
files = st.lists(statements, min_size=1, max_size=4).map("".join)
noise = st.text(alphabet="X=$V\"'\\{}%#/:-*?[]() \n;.!aé~&1@,|<`^", max_size=14).map(
    lambda text: f"X={text}"
)
in_braces = st.text(alphabet="\"'\\}%#/:-*?[] .ra1é~@!${+,", max_size=9).map(
    lambda text: f'X=${{VER{text}}}\nY="${{NAME{text}}}"\nZ=(${{LIST{text}}})'
)


def accepted(text: str) -> dict[str, Value] | None:
    try:
        return dict(evaluate(text, variables={"ARCH": "amd64"}, origin="spec"))
    except BundleError:
        return None


def compare(texts: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        ours: list[tuple[str, dict[str, Value]]] = []
        paths: list[tuple[Path, ...]] = []
        for number, text in enumerate(texts):
            whole = START + text
            found = accepted(whole)
            if found is None:
                continue
            path = Path(folder, str(number))
            path.write_text(whole, encoding="utf-8")
            paths.append((path,))
            ours.append((text, found))
        truth = bash_values(paths, variables={"ARCH": "amd64"}) if paths else []
        for (text, found), values in zip(ours, truth, strict=True):
            values.pop("ARCH", None)
            assert found == values, text


@given(st.lists(files, min_size=1, max_size=12))
@settings(max_examples=30, deadline=None)
def test_what_the_evaluator_accepts_it_reads_as_bash_does(texts: list[str]) -> None:
    compare(texts)


@given(st.lists(noise, min_size=10, max_size=40))
@settings(max_examples=25, deadline=None)
def test_noise_is_refused_or_read_as_bash_does(texts: list[str]) -> None:
    compare(texts)


@given(st.lists(in_braces, min_size=10, max_size=40))
@settings(max_examples=25, deadline=None)
def test_noise_in_expansions_is_refused_or_read_as_bash_does(texts: list[str]) -> None:
    compare(texts)


@given(files)
@settings(max_examples=150, deadline=None)
def test_any_text_is_read_or_refused_with_file_and_line(text: str) -> None:
    refusal: BundleError | None = None
    try:
        evaluate(text, variables={}, origin="spec")
    except BundleError as raised:
        refusal = raised
    assert refusal is None or refusal.brief.startswith("spec:")
