"""The grammar of misuse: valid command lines of every command, changed in one to three places.

What may be changed is read off the commands themselves: their options, types and choices.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click
from broken_files import FAULTS
from hypothesis import strategies as st
from trial import CANARY, Try

from w2s_factory.cli import group

if TYPE_CHECKING:
    from hypothesis.strategies import DrawFn, SearchStrategy
    from inputs import Line

NUMBERS = ["-1", "0", "1", "2", "3", "1.5", "1e3", "1e300", "nan", "inf", "-inf", "-0.0", "0x10", "1_000",
           "\u0663", "99999999999", "9" * 40, "1,2", "", " 1", "1e-400", "0.9999999999999999"]  # fmt: skip
TEXTS = ["", " ", "-", "--", "a b", "a/b", "../..", ".", "..", "~", "*", "%s", "{0}", "{{7*7}}", "null", "true",
         "=", "a=b", "a=", "=b", "\u00e9", "\u540d", "\U0001f642", "\udcff", "\x1b[31m", "a\nb", "x" * 5000,
         f"$(touch {CANARY})", f"`touch {CANARY}`", f"; touch {CANARY}", f"| touch {CANARY}", "gsm8k", "math",
         "arithmetic", "no_such", "learning_rate=-1", "num_train_epochs=many", "cutoff_len=0", "1/2", "3/2",
         "0/0", "dpo", "http://127.0.0.1:9/v1", "0.6.2", "0.9.5", "9.9.9"]  # fmt: skip
PATHS = ["missing.jsonl", "in", "in/model", "in/weak.jsonl", "in/data", "in/data/dataset_info.json", "/dev/null",
         "/dev/full", "/dev/zero", "/proc/self/mem", "/proc/no/such", "in/weak.jsonl/below", "in/t1.0",
         "out/a.jsonl", "out/a.csv", "out/manifest.jsonl", "out/dataset_info.json", "out/deep/er/a.json", "-",
         ".", "", "x" * 300, "out/\u00e9\n.json", "~/nowhere", "in/preset.yaml", "in/golds.jsonl"]  # fmt: skip


def parameters(words: tuple[str, ...]) -> list[click.Parameter]:
    """The parameters of the command that a line names."""
    command: click.Command = group
    with click.Context(group) as context:
        for word in words:
            found = command.get_command(context, word) if isinstance(command, click.Group) else None
            if found is None:
                break
            command = found
    return [one for one in command.params if one.name != "help"]


def values(parameter: click.Parameter) -> SearchStrategy[str]:
    """Values for a parameter: of its own kind, and of others."""
    kind = parameter.type
    own = TEXTS
    if isinstance(kind, click.Choice):
        own = [str(choice) for choice in kind.choices]
    elif kind.name in ("path", "file", "directory", "Path"):
        own = PATHS
    elif "int" in kind.name or "float" in kind.name or "number" in kind.name:
        own = NUMBERS
    return st.one_of(st.sampled_from(own), st.sampled_from([*NUMBERS, *TEXTS, *PATHS]))


class Draft:
    """A command line while it is being changed, with what a complaint may then name."""

    def __init__(self, line: Line) -> None:
        self.words, self.blamed = list(line.words), []
        self.faults: dict[str, str] = {}
        self.parameters = parameters(line.words)

    def done(self) -> Try:
        faults = tuple(self.faults.items())
        return Try(tuple(self.words), faults, blamed=tuple(dict.fromkeys(self.blamed)))

    def option_at(self, place: int) -> click.Option | None:
        """The option whose value the word at `place` is."""
        before = self.words[place - 1]
        named = [one for one in self.parameters if before in (*one.opts, *one.secondary_opts)]
        return named[0] if named and isinstance(named[0], click.Option) and not named[0].is_flag else None

    def blame(self, *texts: str) -> None:
        for text in texts:
            shown = "".join(one if one.isprintable() else repr(one)[1:-1] for one in text)
            key = shown.partition("=")[0]
            path = Path(shown)
            parts = (shown, path.name, path.stem, path.parent.name, shown.lstrip("-"), key)
            self.blamed += [part[:60] for part in parts if part]

    def blame_parameter(self, parameter: click.Parameter) -> None:
        self.blame(*parameter.opts, *([parameter.metavar] if parameter.metavar else []), parameter.name or "")


def _replace(draw: DrawFn, draft: Draft) -> None:
    """Give an option or argument another value."""
    places = [n for n in range(1, len(draft.words)) if not draft.words[n].startswith("--")]
    if not places:
        return
    place = draw(st.sampled_from(places))
    option = draft.option_at(place)
    arguments = [one for one in draft.parameters if isinstance(one, click.Argument)]
    if option is None and not arguments:
        return
    chosen = option or arguments[0]
    draft.words[place] = draw(values(chosen))
    draft.blame_parameter(chosen)
    draft.blame(*draft.words)  # what fitted the old value need not fit the new one


def _drop(draw: DrawFn, draft: Draft) -> None:
    """Leave out an option with its value, or an argument."""
    place = draw(st.integers(1, len(draft.words)))
    if place == len(draft.words):
        return
    option = draft.option_at(place + 1) if place + 1 < len(draft.words) else None
    draft.blame(*draft.words)  # a value whose option is gone is one word too many
    for one in draft.parameters:
        if isinstance(one, click.Argument):
            draft.blame_parameter(one)
    if option:
        del draft.words[place + 1]
    del draft.words[place]


def _add(draw: DrawFn, draft: Draft) -> None:
    """Give one more option of the command."""
    options = [one for one in draft.parameters if isinstance(one, click.Option)]
    if not options:
        return
    option = draw(st.sampled_from(options))
    draft.blame(*draft.words)  # what the option asks for, the others may lack
    draft.words.append(option.opts[-1])
    draft.blame_parameter(option)
    if not option.is_flag and not option.count:
        for _ in range(option.nargs if option.nargs > 0 else 1):
            draft.words.append(draw(values(option)))
            draft.blame(draft.words[-1])


def _stray(draw: DrawFn, draft: Draft) -> None:
    """Put a word where none belongs, an unknown option, or a word twice."""
    word = draw(st.sampled_from([*TEXTS, *draft.words, "--nosuchoption", "-h", "in/weak.jsonl"]))
    draft.words.insert(draw(st.integers(1, len(draft.words))), word)
    draft.blame(word, "extra argument", "overrides", *draft.words)


def _onto_input(draw: DrawFn, draft: Draft) -> None:
    """Write onto what is read."""
    inputs = [word for word in draft.words if word.startswith("in/")]
    outputs = [n for n, word in enumerate(draft.words) if word.startswith("out")]
    if inputs and outputs:
        place = draw(st.sampled_from(outputs))
        draft.words[place] = draw(st.sampled_from(inputs))
        draft.blame(draft.words[place], draft.words[place - 1])
        if draw(st.booleans()):
            draft.words.append("--force")
            draft.blame("--force")


def _break(draw: DrawFn, draft: Draft, files: tuple[str, ...]) -> None:
    """Break a file that the line names, or one in a folder that it names."""
    named = [word for word in draft.words if word.startswith("in/")]
    reached = [file for file in files if any(file == word or file.startswith(word + "/") for word in named)]
    if reached:
        file = draw(st.sampled_from(reached))
        draft.faults[file] = draw(st.sampled_from(sorted(FAULTS)))
        draft.blame(file, *(word for word in named if file.startswith(word)))
        draft.blame("output_dir")  # of a config: what it says is wrong with its own content
        draft.blamed += ["in/", "line ", "field", "row "]


CHANGES = [_replace, _drop, _add, _stray, _onto_input]


@st.composite
def tries(draw: DrawFn, lines: list[Line], files: tuple[str, ...]) -> Try:
    """A command line with one to three changes.

    Args:
        draw: Given by hypothesis.
        lines: The valid command lines to begin with.
        files: Every input there is, by name.
    """
    draft = Draft(draw(st.sampled_from(lines)))
    for _ in range(draw(st.integers(1, 3))):
        if draw(st.integers(0, 2)):
            _break(draw, draft, files)
        else:
            draw(st.sampled_from(CHANGES))(draw, draft)
    return draft.done()
