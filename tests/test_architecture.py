"""Who may import whom (docs/design.md), read off the source; and what importing the package costs nobody."""

from __future__ import annotations

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import NamedTuple

import networkx
import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "w2s_factory"

GROUND = {
    "errors",
    "folders",
    "model_names",
    "packages",
    "processes",
    "published",
    "quantities",
    "ranges",
    "shipped",
    "terminal",
}
"""Modules open to everybody; of ours they import one another at most."""

LAYERS = (
    {"records"},
    {"answers"},
    {"tasks"},
    {"chat"},
    {"prompts", "scoring"},
    {"generating", "llamafactory"},
    {"building"},
    {"experiment", "release"},
    {"cli"},
)
"""The rooms from the ground up: each may import those of the layers below it, and not its neighbours."""

ROOMS = {room: set() for room in GROUND} | {
    room: set().union(*LAYERS[:height]) for height, layer in enumerate(LAYERS) for room in layer
}
"""Each room and the rooms it may import, apart from the ground."""

IN_LLAMAFACTORY = ("llamafactory/inside/", "llamafactory/startup/")
"""Files that run in the processes of LLaMA-Factory's own environment."""

HOMES = {
    "llamafactory": IN_LLAMAFACTORY,
    "torch": ("generating/engines/", *IN_LLAMAFACTORY),
    "transformers": ("generating/engines/", *IN_LLAMAFACTORY),
    "safetensors": ("generating/engines/", *IN_LLAMAFACTORY),
    "vllm": ("generating/engines/",),
}
"""Packages that only some files may import, by how their names begin."""

HEAVY = {
    *HOMES,
    "datasets",
    "matplotlib",
    "openai",
    "pandas",
    "pebble",
    "pydantic",
    "rich",
    "snakemake",
    "sympy",
}


class Import(NamedTuple):
    """One imported name: where, from which module."""

    file: str
    line: int
    module: str
    name: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line} imports {self.name or 'all'} of {self.module}"

    @property
    def room(self) -> str:
        return self.file.partition("/")[0].removesuffix(".py")

    @property
    def target(self) -> str:
        """The room it comes from; "" if it is none of ours."""
        package, _, inside = self.module.partition(".")
        if package != "w2s_factory":
            return ""
        return inside.partition(".")[0] or self.name


@cache
def trees() -> dict[str, ast.Module]:
    files = sorted(PACKAGE.rglob("*.py"))
    return {path.relative_to(PACKAGE).as_posix(): ast.parse(path.read_text()) for path in files}


@cache
def imports() -> list[Import]:
    """All imports, those inside functions and those for type checking too."""
    found: list[Import] = []
    for file, tree in trees().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{file}:{node.lineno}: relative import"
                found += [Import(file, node.lineno, node.module or "", name.name) for name in node.names]
            elif isinstance(node, ast.Import):
                found += [Import(file, node.lineno, name.name, "") for name in node.names]
    return found


def test_every_room_has_a_rule():
    assert {found.room for found in imports()} <= {*ROOMS, "__init__", "__main__"}


def test_rooms_know_only_whom_they_may():
    wrong = [
        str(found)
        for found in imports()
        if found.room in ROOMS and found.target not in {"", found.room, *ROOMS[found.room], *GROUND}
    ]
    assert wrong == []


def test_rooms_keep_their_private_names():
    def private(found: Import) -> bool:
        return any(part.startswith("_") for part in [*found.module.split("."), found.name])

    ours = [found for found in imports() if found.target not in {"", found.room}]
    assert [str(found) for found in ours if private(found)] == []


def modules() -> dict[str, str]:
    """The files of the package by the name they are imported by."""
    return {
        ".".join(["w2s_factory", *Path(file).with_suffix("").parts]).removesuffix(".__init__"): file
        for file in trees()
    }


def test_no_module_imports_itself_by_a_detour():
    known = modules()
    graph: networkx.DiGraph[str] = networkx.DiGraph()
    for found in imports():
        for target in (f"{found.module}.{found.name}", found.module):
            if target in known:
                graph.add_edge(found.file, known[target])
                break
    cycles = [sorted(part) for part in networkx.strongly_connected_components(graph) if len(part) > 1]
    assert cycles == []


COMMANDS_TWINS = {
    "doctor",
    "evaluate",
    "fetch",
    "init",
    "report",
    "run",
    "score",
    "status",
    "template",
    "vote",
}
"""Names shared by a command's file in `cli/` and the module it calls."""

TWINS = {"base": {"generating/engines/base.py", "tasks/base.py"}}
"""Other file names that may be there twice, and where."""


def test_a_file_name_is_there_once():
    by_name: dict[str, set[str]] = {}
    for file in trees():
        if Path(file).name != "__init__.py":
            by_name.setdefault(Path(file).stem, set()).add(file)
    twice = {name: files for name, files in by_name.items() if len(files) > 1}
    commands = {name: files for name, files in twice.items() if f"cli/{name}.py" in files and len(files) == 2}
    assert set(commands) == COMMANDS_TWINS
    assert {name: files for name, files in twice.items() if name not in commands} == TWINS


def test_a_class_name_has_one_meaning():
    by_name: dict[str, list[str]] = {}
    for file, tree in trees().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef) and not file.startswith(IN_LLAMAFACTORY):
                by_name.setdefault(node.name.lstrip("_"), []).append(file)
    assert {name: files for name, files in by_name.items() if len(files) > 1} == {}


UNTYPED = {
    "cli/generate.py": {"command"},  # click calls it; its first line makes them a typed object
    "cli/score.py": {"command"},  # likewise
    "generating/engines/__init__.py": {"make_engine", "_check_options"},  # an engine's own arguments
    "records/hub_rows.py": {"load"},  # arguments of the library datasets
    "tasks/hooks.py": {"_run", "checked"},  # whatever a task's method takes
    "tasks/base.py": {"__init_subclass__"},  # Python's own
}
"""Functions that take options they don't declare, because somebody else does."""


def test_options_are_typed():
    found: dict[str, set[str]] = {}
    for file, tree in trees().items():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef) and any(map(_is_untyped, _arguments(node))):
                found.setdefault(file, set()).add(node.name)
    assert found == UNTYPED


def _arguments(function: ast.FunctionDef) -> list[ast.arg]:
    given = function.args
    return [*given.posonlyargs, *given.args, *given.kwonlyargs, *filter(None, [given.kwarg])]


def _is_untyped(argument: ast.arg) -> bool:
    """Whether an argument is a bag of options of any kind."""
    return argument.arg == "options" and "Any" in ast.unparse(argument.annotation or ast.Constant(None))


@pytest.mark.parametrize("package", HOMES)
def test_heavy_packages_stay_at_home(package):
    strangers = [found for found in imports() if not found.file.startswith(HOMES[package])]
    assert [str(found) for found in strangers if found.module.partition(".")[0] == package] == []


def test_rows_are_parsed_by_records_alone():
    """LLaMA-Factory's room also reads what its own processes answer, the published numbers their own file,
    and the judge a gold that is one text within a row.
    """
    parsing = {"json.load", "json.loads", "orjson.loads"}
    wrong = [
        f"{file}:{node.lineno}"
        for file, tree in trees().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and ast.unparse(node) in parsing
        if not file.startswith(
            ("records/", "llamafactory/", "published/", "answers/judge/structured_gold.py")
        )
    ]
    assert wrong == []


WRITES = (
    "open",
    "write_text",
    "write_bytes",
    "touch",
    "unlink",
    "rename",
    "replace",
    "rmtree",
    "copy",
    "copyfile",
)
WRITERS = {
    "experiment/restoration.py": {"replace", "unlink"},  # what is damaged and cannot be restored
    "experiment/run_folder.py": {"rmtree"},  # seeds that are no longer planned
    "experiment/run_lock.py": {"open", "rename", "unlink"},  # the run's lock
    "experiment/slurm_jobs.py": {"open", "unlink"},  # the record of a run's jobs; the log of Snakemake
    "experiment/run.py": {"touch", "open"},  # the log of Snakemake
    "generating/engines/weights.py": {"copy"},  # into a temporary folder
    "generating/part.py": {"unlink"},  # what --restart throws away, which is not an input
    "llamafactory/training_config.py": {"write_text"},  # into a temporary folder
    "llamafactory/template.py": {"unlink"},  # what it installed
    "llamafactory/checkpoints.py": {"rmtree"},  # checkpoints of other trainings
    "release/fetch_release.py": {"replace"},  # a whole clone
}
"""Files besides `records/` that write, move or remove files themselves, and how."""


def test_files_are_written_by_records_alone():
    """Otherwise nothing keeps a command from overwriting what it reads."""
    found: dict[str, set[str]] = {}
    for file, tree in trees().items():
        for node in ast.walk(tree):
            name = _write(node) if isinstance(node, ast.Call) else None
            if name and not file.startswith(("records/", *IN_LLAMAFACTORY)):
                found.setdefault(file, set()).add(name)
    assert found == WRITERS


def _write(call: ast.Call) -> str | None:
    """The name of a call that changes files, as far as its form says so."""
    name = getattr(call.func, "attr", getattr(call.func, "id", ""))
    if name not in WRITES:
        return None
    if name == "open":
        modes = [*call.args, *(keyword.value for keyword in call.keywords if keyword.arg == "mode")]
        texts = [
            mode.value for mode in modes if isinstance(mode, ast.Constant) and isinstance(mode.value, str)
        ]
        return name if any(set(text) & set("wax+") and len(text) < 4 for text in texts) else None
    if name == "replace":  # of a path it takes one argument, of a text two, of a dataclass keywords
        return name if len(call.args) == 1 and not call.keywords else None
    if name == "copy":
        return name if ast.unparse(call.func).startswith("shutil") else None
    return name


def test_these_tests_see_imports(tmp_path, monkeypatch):
    monkeypatch.setattr(sys.modules[__name__], "PACKAGE", tmp_path)
    for reader in (trees, imports):  # read this package, not what was read before
        monkeypatch.setattr(sys.modules[__name__], reader.__name__, reader.__wrapped__)
    source = "import torch.nn\nif TYPE_CHECKING:\n    from w2s_factory.cli.exit import _message\n"
    source += "def f():\n    import a\nfrom w2s_factory import building\n"
    (tmp_path / "records.py").write_text(source)
    assert [found[1:] for found in imports()] == [
        (1, "torch.nn", ""),
        (6, "w2s_factory", "building"),
        (3, "w2s_factory.cli.exit", "_message"),
        (5, "a", ""),
    ]
    for test in (test_rooms_know_only_whom_they_may, test_rooms_keep_their_private_names):
        with pytest.raises(AssertionError, match="cli"):
            test()
    with pytest.raises(AssertionError, match=r"records\.py:1"):
        test_heavy_packages_stay_at_home("torch")


def loaded_by(code: str) -> set[str]:
    """The top-level packages in sys.modules after `code`, in a fresh interpreter."""
    show = "\nimport sys; print(*sorted({name.partition('.')[0] for name in sys.modules}))"
    done = subprocess.run([sys.executable, "-c", code + show], capture_output=True, text=True, check=True)
    return set(done.stdout.splitlines()[-1].split())


def test_importing_the_package_imports_next_to_nothing():
    assert not loaded_by("import w2s_factory") & {*HEAVY, "click", "orjson", "yaml"}


def test_public_names_come_without_the_packages_that_have_homes():
    code = "import w2s_factory\nfor name in w2s_factory.__all__: getattr(w2s_factory, name)"
    assert not loaded_by(code) & set(HOMES)


def test_help_imports_nothing_heavy():
    code = "import sys\nfrom w2s_factory.cli import group\ngroup.main(['--help'], standalone_mode=False)"
    loaded = loaded_by(code)
    assert "click" in loaded
    assert not loaded & {*HEAVY, "orjson", "yaml"}


def test_the_map_lists_every_file():
    import list_files

    text = list_files.MAP.read_text()
    assert list_files.with_list(text, list_files.listed()) == text, "run: python scripts/list_files.py"
