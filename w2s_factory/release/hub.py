"""GSM8K and MATH from the hub, in the release's raw and test forms and under its paths."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from w2s_factory.errors import DelegateError, UserError
from w2s_factory.records import MANIFEST, MATH_RAW, TEST, Form, Outputs, require
from w2s_factory.release.fetch import Fetched
from w2s_factory.release.sources import gsm8k_test_row
from w2s_factory.release.train_halves import GSM8K_ROWS, SEED, halves
from w2s_factory.tasks import get_task
from w2s_factory.terminal import first_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from w2s_factory.tasks import Task

GSM8K = "openai/gsm8k"
MATH = "EleutherAI/hendrycks_math"
MATH_TEST = "HuggingFaceH4/MATH-500"
MATH_SUBJECTS = (
    "algebra",
    "counting_and_probability",
    "geometry",
    "intermediate_algebra",
    "number_theory",
    "prealgebra",
    "precalculus",
)

Row = dict[str, Any]

_GSM8K_ROWS: Form[Row] = Form("rows of GSM8K", {"question": (str,), "answer": (str,)})
_MATH_ROWS: Form[Row] = Form("rows of MATH", dict.fromkeys(("problem", "solution", "level", "type"), (str,)))


def fetch_gsm8k(origin: str | None, output_dir: Path, *, force: bool = False) -> Fetched:
    """GSM8K from the hub: test, and the release's split of the training rows.

    The published halves also hold augmented rows, whose split is not reproducible; they are not here.

    Args:
        origin: A name on the hub or a local folder with the splits `train` and `test`.
        output_dir: The root below which the files go, as in the release.
        force: Replace files that hold something else.

    Raises:
        UserError: `datasets` is missing, the rows are not GSM8K's, or a file holds something else.
        DelegateError: The hub can't be reached.
    """
    train = _rows(origin or GSM8K, "main", "train", _GSM8K_ROWS)
    test = _rows(origin or GSM8K, "main", "test", _GSM8K_ROWS)
    raw = {
        f"train_{half}": [{"id": f"gsm8k_{number}", **train[number]} for number in numbers]
        for half, numbers in halves(len(train)).items()
    }
    task = get_task("gsm8k")
    tests = [{**gsm8k_test_row(task, row)} for row in test]
    files = _write(task, {**raw, "test": tests}, output_dir, origin or GSM8K, force=force)
    return Fetched(output_dir, files, _gsm8k_notes(len(train)), _next(task, output_dir))


def _gsm8k_notes(count: int) -> tuple[str, ...]:
    if count != GSM8K_ROWS:
        return (f"these are not GSM8K's {GSM8K_ROWS:,} training rows but {count:,}, split in the same way",)
    augmented = (
        "the published halves also hold augmented rows (3,264 and 3,263), not on the hub and split in a way "
        "that is not known: w2s-factory fetch release has them"
    )
    return (
        "train_1 and train_2 hold the original rows of the published halves, in the published order",
        augmented,
    )


def fetch_math(origin: str | None, output_dir: Path, *, force: bool = False) -> Fetched:
    """MATH from the hub: the release's 500 test problems, and the other problems in two halves.

    Which problem is in which published half is not reproducible: these halves are the project's own draw.

    Args:
        origin: A local folder that holds the two hub sets under their names' last parts
            (`hendrycks_math/algebra` and so on, `MATH-500`); None for the hub.
        output_dir: The root below which the files go, as in the release.
        force: Replace files that hold something else.

    Raises:
        UserError: As `fetch_gsm8k`, or the local folder lacks one of these folders.
        DelegateError: The hub can't be reached.
    """
    test = _rows(_part(origin, MATH_TEST), None, "test", MATH_RAW)
    known = {row["problem"] for row in test}
    others = [row for row in _math_rows(_part(origin, MATH)) if row["problem"] not in known]
    raw = {f"train_{half}": [others[n] for n in numbers] for half, numbers in halves(len(others)).items()}
    task = get_task("math")
    files = _write(task, {**raw, "test": test}, output_dir, origin or MATH, force=force)
    drawn = (
        f"train_1 and train_2 are halves of the other {len(others):,} problems, drawn with seed {SEED}; how "
        "the published halves were drawn is not known (w2s-factory fetch release has them)"
    )
    notes = (
        "test is the published one",
        drawn,
        "unique_id of a training problem is its place on the hub, which does not give MATH's file numbers",
    )
    return Fetched(output_dir, files, notes, _next(task, output_dir))


def _next(task: Task, root: Path) -> str:
    raw = root / task.splits["train_1"].raw
    return shlex.join(
        ["w2s-factory", "build-data", "--stage", "gold", "--task", task.name, "--input", str(raw)]
    )


def _part(origin: str | None, name: str) -> str:
    """Return where a set of the hub is: there, or in a local folder under the last part of its name."""
    return name if origin is None else _inner(origin, name.rpartition("/")[2])


def _inner(origin: str, name: str) -> str:
    """Return a folder within a local one, which has to have it: its path would else be a name on the hub."""
    inner = Path(origin, name)
    if Path(origin).is_dir() and not inner.is_dir():
        raise UserError(f"expected a folder {name} in it", file=origin, hint="Download that set into it")
    return str(inner)


def _math_rows(origin: str) -> Iterator[Row]:
    """MATH's problems in the raw form of the release; the answer is what the solution boxes last."""
    for subject in MATH_SUBJECTS:
        _inner(origin, subject)
        for split in ("train", "test"):
            rows = _rows(origin, subject, split, _MATH_ROWS)
            for number, row in enumerate(rows):
                level = re.search(r"\d", row["level"])
                yield {
                    "problem": row["problem"],
                    "solution": row["solution"],
                    "answer": last_boxed(row["solution"]),
                    "subject": row["type"],
                    "level": int(level[0]) if level else 0,  # two of MATH's problems are of "Level ?"
                    "unique_id": f"{split}/{subject}/hub-row-{number}",
                }


def last_boxed(solution: str) -> str:
    r"""What a MATH solution boxes last, `\boxed{...}` or `\fbox{...}`; empty if nothing is boxed."""
    start = max(solution.rfind(r"\boxed{"), solution.rfind(r"\fbox{"))
    if start < 0:
        short = re.findall(r"\\boxed (\S+?)[$\s]", solution)
        return short[-1] if short else ""
    inside = solution[solution.index("{", start) + 1 :]
    depth = 1
    for place, character in enumerate(inside):
        depth += {"{": 1, "}": -1}.get(character, 0)
        if not depth:
            return inside[:place]
    return ""


def _rows(origin: str, config: str | None, split: str, form: Form[Any]) -> list[Row]:
    """Return the rows of a split, only the keys of the form and in its order, from the hub or a folder."""
    where, name = _location(origin, config)
    rows = load(where, name, split)
    missing = [key for key in form.required if key not in rows.column_names]
    if missing:
        raise UserError(f"split {split} has no column {', '.join(missing)}", file=origin)
    if not len(rows):
        raise UserError(f"split {split} holds no rows", file=origin)
    kept = [{key: row[key] for key in form.required} for row in rows]
    for number, row in enumerate(kept, 1):
        try:
            require(row, form)
        except UserError as error:
            raise error.at(file=_file(where, split), row=number) from None
    return kept


def _file(where: str, split: str) -> str:
    """Return what to call the place of a split: its file, where a folder has just one of that name."""
    files = sorted(Path(where).glob(f"{split}[.-]*")) if Path(where).is_dir() else []
    return str(files[0]) if len(files) == 1 else f"{where} (split {split})"


def load(where: str, name: str | None, split: str, **options: Any) -> Any:
    """A split as `datasets` loads it.

    Raises:
        UserError: `datasets` is missing.
        DelegateError: It can't be loaded.
    """
    try:
        import datasets  # noqa: PLC0415  heavy, and needed for nothing else
    except ImportError:
        raise UserError(
            "the package datasets is not installed", hint='pip install "w2s-factory[hub]"'
        ) from None
    try:
        return datasets.load_dataset(where, name, split=split, **options)
    except Exception as error:  # noqa: BLE001  the hub fails in many ways
        text = first_line(str(error))
        raise DelegateError(
            f"{where} ({split}) can't be loaded ({type(error).__name__}: {text})",
            hint="Offline? --from names a local folder",
        ) from None


def _location(origin: str, config: str | None) -> tuple[str, str | None]:
    """What `load_dataset` takes: in a local folder a configuration is a folder, if there is one."""
    if not Path(origin).is_dir():
        return origin, config
    inner = Path(origin, config or "")
    return str(inner if inner.is_dir() else Path(origin)), None


def _write(
    task: Task, raw: Mapping[str, list[Row]], root: Path, origin: str, *, force: bool
) -> dict[Path, int]:
    """Raw rows and questions with golds, under the release's paths."""
    files: dict[Path, int] = {}
    with Outputs(reads=files_below(origin), force=force) as outputs:
        for name, rows in raw.items():
            split = task.splits[name]
            tests = rows if "source" in rows[0] else [task.test_row(row, split.tag) for row in rows]
            files[root / split.raw] = outputs.rows(
                root / split.raw, rows, TEST if tests is rows else task.raw_form
            )
            files[root / split.test] = outputs.rows(root / split.test, tests, TEST)
        outputs.note(packages=["datasets"], task=task.name, origin=origin)
    return files


def files_below(origin: str) -> list[Path]:
    """Return the files of a local folder, but for manifests; none of a name on the hub."""
    found = Path(origin).rglob("*") if Path(origin).is_dir() else ()
    return [file for file in found if file.is_file() and file.name != MANIFEST]
