

def place_dataset(
    task: Task,
    rows: Iterable[Sft],
    file: Path,
    *,
    inputs: Iterable[str | Path],
    recipe: Recipe,
) -> Built:
    """Write one dataset to a named file, with its index entry and config in the same folder.

    In the `release` layout the file must lie in `data/llama_factory/{task}/` of some root.
    """
    root = llamafactory.root_of(recipe.layout, file, task.folder)
    stem, suffix = file.stem, file.suffix
    if suffix != ".json":
        raise UserError("LLaMA-Factory's SFT data is a JSON list", file=file, hint="Name it with .json")
    return place_datasets(task, {stem: rows}, root, inputs=inputs, recipe=recipe)[0]
