"""The look-up of datasets in `dataset_info.json`, and the check that a training can use them.

The same look-up serves when a config is made and when it is trained with. Entries are written in
`dataset_info.py`.
"""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from w2s_factory.errors import UserError, did_you_mean
from w2s_factory.llamafactory.dataset_info import NAME as INDEX
from w2s_factory.llamafactory.dataset_info import columns_of
from w2s_factory.llamafactory.known_templates import WITHOUT_CHAT
from w2s_factory.llamafactory.preference_methods import trains_on_pairs
from w2s_factory.records import read_object

if TYPE_CHECKING:
    from collections.abc import Mapping

    from w2s_factory.llamafactory.training_config import Config
    from w2s_factory.llamafactory.versions import Version
    from w2s_factory.records import PairForm

_LISTED: Final = 12
"""The largest number of dataset names in a message."""

_ELSEWHERE: Final = ("hf_hub_url", "ms_hub_url", "om_hub_url", "script_url", "cloud_file_name")
"""Keys of entries whose rows are not in a file of the folder."""

_COLUMNS: Final[Mapping[PairForm, str]] = {
    "release": "one list column `response`",
    "columns": "chosen and rejected columns",
}


@dataclass(frozen=True)
class Dataset:
    """A dataset that `dataset_info.json` names.

    Attributes:
        name: Its name there.
        entry: Its entry there.
        file: Its file or folder, made absolute; None if it comes from elsewhere (a hub, a script).
        argument: The argument of the training that names it: `dataset` or `eval_dataset`.
    """

    name: str
    entry: Mapping[str, Any]
    file: Path | None
    argument: str = "dataset"

    @property
    def ranking(self) -> bool:
        """Return whether its rows are preference pairs."""
        return bool(self.entry.get("ranking"))

    @property
    def columns(self) -> Mapping[str, str]:
        """Return the columns by role. Once an entry names any, the roles that it does not name are absent."""
        return columns_of(self.entry)

    @property
    def pair_form(self) -> PairForm:
        """Return the form that its preference pairs are in."""
        return "columns" if {"chosen", "rejected"} <= self.columns.keys() else "release"

    def check_use(self, use: str, version: Version | None) -> None:
        """Refuse rows that a training cannot use.

        Args:
            use: The stage (`sft`) or preference method (`simpo`) of the training.
            version: The LLaMA-Factory that reads them; if None, the form of pairs is not checked.

        Raises:
            UserError: Its rows are not of the kind or form that the training needs.
        """
        if self.ranking and not trains_on_pairs(use):
            raise self._wrong(f"holds preference pairs, which {use} does not train on")
        if not self.ranking and trains_on_pairs(use):
            raise self._wrong(
                f"does not hold preference pairs, which {use} trains on",
                f"Entries of pairs have `ranking: true` in {INDEX}",
            )
        if self.ranking and version is not None and self.pair_form != version.pair_form:
            has, needs = _COLUMNS[self.pair_form], _COLUMNS[version.pair_form]
            raise self._wrong(
                f"has {has}; LLaMA-Factory {version.number} needs {needs}",
                self._conversion(version.pair_form),
                topic="form-of-pairs",
            )

    def check_template(self, template: str | None) -> None:
        """Refuse rows with a system prompt where the template has no place for one.

        Such templates write it right before the prompt, without a separator.

        Args:
            template: The training's template; None if it is not known.

        Raises:
            UserError: Its rows have a system prompt, and the template has no place for it.
        """
        if template in WITHOUT_CHAT and "system" in self.columns:
            raise self._wrong(
                f"has a system prompt, which the template {template} joins to the prompt without a separator",
                "Set the chat template by which the model will be asked: template=NAME",
            )

    def _conversion(self, form: PairForm) -> str | None:
        """Return the hint that converts its pairs to a form; None where that command does not apply."""
        if self.file is None or not self.file.is_file() or self.entry.get("formatting", "alpaca") != "alpaca":
            return None
        new = self.file.with_name(f"{self.file.stem}_{form}.json")
        words = ["w2s-factory", "convert-pairs", str(self.file), "--format", form, "--output", str(new)]
        return f"Convert it: {shlex.join(words)}"

    def _wrong(self, problem: str, hint: str | None = None, topic: str | None = None) -> UserError:
        """Return the error for a problem of this dataset; `topic` is that of `UserError`."""
        return UserError(f'dataset "{self.name}" {problem}', field=self.argument, hint=hint, topic=topic)


@dataclass(frozen=True)
class DatasetIndex:
    """A `dataset_info.json`, as it is on disk or as it will be.

    Attributes:
        file: The file.
        entries: Its entries by the datasets' names.
        on_disk: Whether it is written, so that the files its entries name must exist.
    """

    file: Path
    entries: Mapping[str, Any]
    on_disk: bool = True

    @classmethod
    def of(cls, dataset_dir: str | Path) -> DatasetIndex:
        """Return the index of a folder.

        Raises:
            UserError: There is none in the folder, or it is not a JSON object.
        """
        file = Path(dataset_dir, INDEX)
        if not file.is_file():
            relative = "" if file.is_absolute() else f" (relative to {Path.cwd()}; write it absolute)"
            raise UserError(
                f"no {INDEX} in {dataset_dir}{relative}",
                field="dataset_dir",
                hint="Name the folder that build-data wrote to",
                topic="no-dataset",
            )
        return cls(file, read_object(file))

    def find(self, name: str, argument: str = "dataset") -> Dataset:
        """Return a dataset by its name.

        Args:
            name: The name.
            argument: The argument of the training that names it: `dataset` or `eval_dataset`.

        Raises:
            UserError: It is not in the index, its entry cannot be used, or its file does not exist.
        """
        if name not in self.entries:
            hint = did_you_mean(name, self.entries) or self._listed()
            problem = f'no dataset "{name}" in {self.file}'
            raise UserError(problem, field=argument, hint=hint, topic="no-dataset")
        entry = self.entries[name]
        try:
            return Dataset(name, entry, self._file(entry), argument)
        except UserError as error:
            problem = f'dataset "{name}" in {self.file}: {error.problem}'
            raise UserError(problem, field=argument, hint=error.hint, topic=error.topic) from None

    def _file(self, entry: Any) -> Path | None:
        """Return the file of an entry, made absolute; None if its rows come from elsewhere.

        Raises:
            UserError: The entry cannot be used, or its file does not exist.
        """
        if not isinstance(entry, dict):
            raise UserError("expected an object")
        columns_of(entry)
        if any(key in entry for key in _ELSEWHERE):
            return None
        name = entry.get("file_name")
        if not isinstance(name, str):
            raise UserError("has no file_name")
        file = Path(os.path.abspath(os.path.join(self.file.parent, name)))  # noqa: PTH100, PTH118  as LLaMA-Factory
        if self.on_disk and not file.exists():
            raise UserError(f"its file {file} does not exist", hint="A file_name is relative to dataset_dir")
        return file

    def _listed(self) -> str:
        """Return a sentence that lists the datasets of the index, up to a dozen."""
        names = list(self.entries)
        if not names:
            return "It holds none"
        more = f" and {len(names) - _LISTED} more" if len(names) > _LISTED else ""
        return f"It holds: {', '.join(names[:_LISTED])}{more}"


def check_datasets(
    names: str,
    dataset_dir: Path,
    *,
    method: str | None,
    version: Version,
    template: str | None = None,
    index: Mapping[str, Any] | None = None,
) -> list[Dataset]:
    """Check that LLaMA-Factory finds datasets and can train on them; return them.

    Args:
        names: A dataset's name, or several separated by commas.
        dataset_dir: The folder of `dataset_info.json`.
        method: The preference method that they are for; None for supervised fine-tuning.
        version: The LLaMA-Factory that reads them.
        template: The template of the training; None if it is not known.
        index: The future content of the index; by default it and the files are on disk.

    Raises:
        UserError: There is no index, no such dataset in it, no such file, or its rows cannot be used.
    """
    found = DatasetIndex.of(dataset_dir) if index is None else DatasetIndex(dataset_dir / INDEX, index, False)
    datasets = []
    for name in map(str.strip, names.split(",")):
        dataset = found.find(name)
        dataset.check_use(method or "sft", version)
        dataset.check_template(template)
        datasets.append(dataset)
    return datasets


def named_datasets(config: Config) -> list[Dataset]:
    """Return the datasets of `dataset` and `eval_dataset`; none where `dataset_dir` is on a hub.

    Raises:
        UserError: No dataset is named; `dataset_info.json`, an entry of it or a file is missing.
    """
    named = [(key, name) for key in ("dataset", "eval_dataset") for name in config.names(key) if name]
    if not any(key == "dataset" for key, _ in named):
        raise config.wrong("dataset", "is missing: no dataset to train on is named")
    folder = config.values.get("dataset_dir", "data")
    if not isinstance(folder, str):
        raise config.wrong("dataset_dir", "expected the path of a folder")
    if folder == "ONLINE" or folder.startswith("REMOTE:"):
        return []
    try:
        index = DatasetIndex.of(folder)
        return [index.find(name, key) for key, name in named]
    except UserError as error:
        raise error.at(file=config.path) from None
