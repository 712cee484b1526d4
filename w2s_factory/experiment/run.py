"""Running an experiment: the checks of its plan, the call of Snakemake, and the report of failed steps."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import psutil

from w2s_factory.building.shown_task import check_rows
from w2s_factory.errors import DelegateError, UserError, W2SError, nearest_or_all
from w2s_factory.experiment.gpu_check import check_gpu, gpu_note
from w2s_factory.experiment.load import file_of, read_experiment
from w2s_factory.experiment.package_check import check_packages
from w2s_factory.experiment.plan import REPORT, Plan, plan
from w2s_factory.experiment.restoration import restore
from w2s_factory.experiment.run_folder import (
    MARK,
    held,
    prepare,
    refuse_others,
    unwritable,
    writing,
)
from w2s_factory.experiment.slurm_jobs import end_earlier, recorded
from w2s_factory.experiment.slurm_watch import Watch
from w2s_factory.experiment.template_check import check_templates
from w2s_factory.experiment.training_arguments import TrainingSection
from w2s_factory.experiment.workflow import LOG, RESTORED, Progress, script_of, snakemake_command
from w2s_factory.generating.engines import engine_names
from w2s_factory.llamafactory.configs import make_config
from w2s_factory.llamafactory.known_templates import AUTO, VANILLA
from w2s_factory.processes import kill_family, say
from w2s_factory.quantities import Jobs
from w2s_factory.terminal import end_of_log

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from w2s_factory.experiment.answer_settings import ModelGeneration
    from w2s_factory.experiment.plan import Plan
    from w2s_factory.experiment.slurm_jobs import JobsLeft
    from w2s_factory.experiment.slurm_watch import End
    from w2s_factory.experiment.spec import Experiment
    from w2s_factory.experiment.steps import Step


def check_trainings(experiment: Experiment) -> None:
    """Check that each training's preset and overrides suit its stage and the version of LLaMA-Factory.

    Raises:
        UserError: One does not; `field` is its key in the experiment file.
    """
    for section, training, stage in _trainings(experiment):
        _check_stage(section, training, stage)
        try:
            make_config(
                training.preset,
                model="model",
                output_dir="output",
                dataset="dataset",
                dataset_dir=f"{os.devnull}/data",  # a folder that cannot hold an index
                version=experiment.llamafactory.version,
                settings=_without_auto(training),
                ahead=True,
            )
        except UserError as error:
            if error.file is not None:  # a preset of the user's own
                raise
            argument = f".overrides.{error.field}" if error.field else ""
            raise UserError(error.problem, field=f"{section}{argument}", hint=error.hint) from None


def _without_auto(training: TrainingSection) -> dict[str, Any]:
    """Return a training's overrides with a template's name in place of `auto`, which needs the model."""
    overrides = dict(training.overrides)
    return overrides | ({"template": VANILLA} if training.value("template") == AUTO else {})


def check_engine(experiment: Experiment) -> None:
    """Check the engine's name; the engines of another environment cannot be known here.

    Raises:
        UserError: There is no engine of that name.
    """
    known = engine_names()
    sections: dict[str, ModelGeneration | None] = {
        "generation": experiment.generation,
        "weak.generation": experiment.weak.generation,
        "strong.generation": experiment.strong.generation,
    }
    for section, settings in sections.items() if experiment.environments.generate is None else ():
        engine = None if settings is None else settings.engine
        if engine is not None and engine not in known:
            hint = nearest_or_all(engine, known)
            raise UserError(f'no engine "{engine}"', field=f"{section}.engine", hint=hint)


def check_named_models(plan: Plan) -> None:
    """Check that the run has all models that are to be sampled for pass@k and avg@k.

    Raises:
        UserError: It does not have one of them.
    """
    known = list(dict.fromkeys(model.key for model in plan.contents.models))
    for measure, wanted in plan.experiment.evaluation:
        for name in (wanted and wanted.models) or ():
            if name not in known:
                field, hint = f"evaluation.{measure}.models", nearest_or_all(name, known)
                raise UserError(f'this run has no model "{name}"', field=field, hint=hint)


def _check_stage(section: str, training: TrainingSection, stage: str) -> None:
    """Refuse a preset of another stage, which cannot read the data, and a seed shared by all repetitions."""
    if training.value("stage") != stage:
        given = f"{training.preset} of the stage {training.value('stage')}"
        raise UserError(f"expected a preset of the stage {stage}, got {given}", field=f"{section}.preset")
    if "seed" in training.overrides:
        problem = "expected no seed here, since each repetition has its own"
        raise UserError(problem, field=f"{section}.overrides.seed", hint="List the repetitions in `seeds`")


def _trainings(experiment: Experiment) -> Iterator[tuple[str, TrainingSection, str]]:
    """Yield each training with the section that describes it before it, and its stage after it."""
    if experiment.weak.train is not None:
        yield "weak.train", experiment.weak.train, "sft"
    yield "strong", experiment.strong_training, "sft"
    if experiment.stage2 is None:
        return
    methods = experiment.stage2.methods
    for name, method in methods.preference.items():
        section = f"stage2.methods.{name}"
        yield section, experiment.method_training(name, method), "dpo"
    if methods.sft_chosen is not None:
        strong, control = experiment.strong_training, methods.sft_chosen
        overrides = {**strong.overrides, **control.overrides}
        training = TrainingSection(preset=control.preset or strong.preset, overrides=overrides)
        yield "stage2.methods.sft_chosen", training, "sft"


RUNS: Final = Path("runs")

_GRACE = 10.0
"""Seconds for Snakemake, once interrupted, to end its jobs and cancel those of a cluster."""

_USAGE = 2
"""Snakemake's exit code if it refuses its arguments."""


@dataclass(frozen=True)
class Ran:
    """A finished run.

    Attributes:
        folder: The run's folder.
        report: The page of the report.
        answer: The report's result in one sentence; empty if the report was not brought up to date.
    """

    folder: Path
    report: Path
    answer: str


def plan_experiment(
    file: str | Path,
    preset: str | None = None,
    *,
    force: bool = False,
    ahead: bool = True,
    tell: Callable[[str], None] = say,
) -> Plan:
    """Read an experiment file and plan it; models, GPUs and files of tasks need not be available.

    Args:
        file: The experiment file, or the name of an experiment that comes with the package.
        preset: The name of one of its presets.
        force: Warn of a training template that differs from what generation will ask, instead of refusing it.
        ahead: Accept that the tokenizer of a chat model is not available.
        tell: The function that gets warnings and notes.

    Raises:
        UserError: The file cannot be used; with the line, or the training argument that is unknown. Or rows
            of a task from a file cannot be used.
        DelegateError: Chat templates are to be compared, and LLaMA-Factory cannot be imported.
    """
    experiment = read_experiment(file, preset)
    try:
        check_trainings(experiment)
        check_engine(experiment)
        planned = plan(experiment, allow_other_template=force)
        check_named_models(planned)
        check_templates(experiment, _trainings(experiment), force=force, ahead=ahead, tell=tell)
    except UserError as error:
        raise UserError(
            error.problem, file=error.file or file, line=error.line, field=error.field, hint=error.hint
        ) from None
    task = experiment.the_task
    check_rows(task, [name for name in ("train_1", "train_2", experiment.split) if name in task.splits])
    return planned


def note_on_gpu(planned: Plan, file: object) -> str | None:
    """Return a note if a training needs a GPU and none seems to be here; see `gpu_check.gpu_note`."""
    return gpu_note(planned, _trainings(planned.experiment), file)


def run(  # noqa: PLR0913  each is an option of the command
    file: str | Path,
    *,
    output_dir: str | Path | None = None,
    preset: str | None = None,
    jobs: Jobs | None = None,
    executor: str | None = None,
    arguments: Sequence[str] = (),
    force: bool = False,
    jobs_left: JobsLeft = "wait",
    take_over: bool = False,
    tell: Callable[[str], None] = say,
) -> Ran:
    """Run an experiment up to its report; complete steps are not repeated.

    A step is repeated when its commands, the set of its inputs or their content have changed, and with it all
    steps that depend on it.

    Args:
        file: The experiment file, or the name of an experiment that comes with the package (`arithmetic`).
        output_dir: The run's folder; `runs/NAME` if None, with a preset `runs/NAME_PRESET`.
        preset: The name of one of the file's presets, which is laid over it.
        jobs: Processor cores to use; with an executor, the most jobs at the same time.
        executor: The Snakemake executor that runs the jobs (`slurm` ...); this machine if None.
        arguments: Further arguments of Snakemake.
        force: Warn of a training template that differs from what generation will ask, instead of refusing it.
        jobs_left: Whether to `wait` for jobs that an earlier run left in Slurm, or to `cancel` them.
        take_over: Continue although another run may be active in the folder, on another machine.
        tell: The function that gets a line for each finished step.

    Raises:
        UserError: The file cannot be used, an input or a package is missing, another run is or may be active
            in the folder, or Slurm does not answer.
        DelegateError: A step failed; the end of its output was passed to `tell`.
    """
    planned = plan_experiment(file, preset, force=force, ahead=False, tell=tell)
    name, here = planned.experiment.name, executor in (None, "local") and not arguments
    folder = Path(output_dir or RUNS / (f"{name}_{preset}" if preset else name)).absolute()
    command = snakemake_command(planned, folder, jobs=jobs, executor=executor, arguments=arguments)
    carry_out(
        planned,
        folder,
        command,
        source=file_of(file),
        gpu_for=file if here else None,
        jobs_left=jobs_left,
        take_over=take_over,
        tell=tell,
    )
    return Ran(folder, folder / REPORT, _answer(folder, planned, may_be_older=bool(arguments)))


def _answer(folder: Path, planned: Plan, *, may_be_older: bool) -> str:
    """Return the first line that the report's step printed; "" if the report is older than its files.

    It may be older if Snakemake's arguments stop it before (`-- -n`, `-- --until STEP`).
    """
    report = next(step for step in planned.steps if step.writes == (REPORT,))
    files = [folder / file for file in (*report.reads, *report.writes, report.log)]
    if not all(file.exists() for file in files):
        return ""
    newest = max(file.stat().st_mtime for file in files[:-2])
    if may_be_older and (folder / REPORT).stat().st_mtime < newest:
        return ""
    return (folder / report.log).read_text("utf-8", "replace").partition("\n")[0]


def carry_out(
    planned: Plan,
    folder: Path,
    command: Sequence[str],
    *,
    source: Path | None = None,
    gpu_for: object = None,
    jobs_left: JobsLeft = "wait",
    take_over: bool = False,
    tell: Callable[[str], None] = say,
) -> None:
    """Bring a folder up to date with a plan.

    Args:
        planned: The plan.
        folder: The run's folder, absolute.
        command: The `snakemake_command` that does it.
        source: The experiment file that was read, which is never overwritten.
        gpu_for: The experiment file as the user named it, if its steps run on this machine, which then must
            have the packages and the GPU that they need; None if they may run elsewhere.
        jobs_left: Whether to `wait` for jobs that an earlier run left in Slurm, or to `cancel` them.
        take_over: Continue although another run may be active in the folder, on another machine.
        tell: The function that gets a line for each finished step.

    Raises:
        UserError: An input is missing, another run is or may be active in the folder, a file cannot be
            written, a package is missing, or a training needs a GPU and there is none.
        DelegateError: A step failed; the end of its output was passed to `tell`.
    """
    refuse_others(planned.experiment.name, folder)  # before anything is written there
    names = {step.rule: step.name for step in planned.steps}
    with held(folder, take_over=take_over):
        end_earlier(folder, command, names, jobs_left, take_over=take_over, tell=tell)
        prepare(planned, folder, source)
        if gpu_for is not None:
            check_packages(planned, _trainings(planned.experiment), gpu_for, folder)
            check_gpu(planned, _trainings(planned.experiment), gpu_for, folder)
        repeat = partial(_repeat, planned, folder, command, tell)
        restored = restore(planned, folder, repeat, _environment(folder), tell)
        total = _carry_out(planned, folder, command, tell).total
    if total == 0 and not restored:
        tell("nothing to do: every step is complete")


def _carry_out(
    planned: Plan,
    folder: Path,
    command: Sequence[str],
    tell: Callable[[str], None],
    only: Sequence[Step] = (),
) -> Progress:
    """Carry out what is not up to date, or steps to restore alone; return what was to do and was done.

    Raises:
        UserError: A file cannot be written, or Snakemake refuses its arguments.
        DelegateError: A step failed.
    """
    progress, start = Progress({step.rule: step.name for step in planned.steps}, tell), _size(folder / LOG)
    watch = Watch({step.rule: step for step in planned.steps}, planned.experiment.resources.retries, tell)
    with recorded(folder, command), watch.watching(command):
        code = _snakemake(command, folder, progress, watch, {RESTORED: " ".join(step.rule for step in only)})
    if code != 0:
        raise _failed(planned, folder, progress, watch, code, tell, start)
    return progress


def _repeat(
    planned: Plan, folder: Path, command: Sequence[str], tell: Callable[[str], None], steps: Sequence[Step]
) -> bool:
    """Repeat complete steps and nothing else; return whether Snakemake did (it does not with `-- -n`).

    Raises:
        UserError: A file cannot be written, or Snakemake refuses its arguments.
        DelegateError: A step failed.
    """
    rules = [step.rule for step in steps]
    start = command.index("--snakefile")  # before the arguments of the user
    command = [*command[:start], "--forcerun", *rules, *command[start:]]
    return _carry_out(planned, folder, command, tell, steps).done >= len(steps)


def _with_state(name: str, end: End | None) -> str:
    """Return a step's name and, if Slurm ended its job, the state of that job."""
    return name if end is None or not end.state else f"{name} ({end.state})"


def _size(log: Path) -> int:
    """Return the size of a log in bytes; 0 if there is none."""
    return log.stat().st_size if log.exists() else 0


def _snakemake(
    command: Sequence[str], folder: Path, progress: Progress, watch: Watch, environ: Mapping[str, str]
) -> int:
    """Run Snakemake to its end and return its exit code; `progress` and `watch` get what it prints."""
    log = folder / LOG
    with writing(log):
        log.parent.mkdir(exist_ok=True)
        log.touch()
    process = subprocess.Popen(
        list(command),
        cwd=folder,
        env={**_environment(folder), **environ},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        process_group=0,  # an interrupt from the terminal then reaches it once, through us
    )
    watch.interrupt = partial(_interrupt_if_idle, process.pid)
    with _ended_with_us(process, folder), writing(log), log.open("a", encoding="utf-8") as written:
        for line in process.stdout or ():
            written.write(line)
            written.flush()
            progress.take(line)
            watch.submissions.take(line)
        return process.wait()


def _interrupt_if_idle(snakemake: int) -> None:
    """Interrupt Snakemake, by its process number, unless it runs a step on this machine."""
    with contextlib.suppress(psutil.NoSuchProcess):
        if not psutil.Process(snakemake).children():
            os.killpg(snakemake, signal.SIGINT)


def _environment(folder: Path) -> dict[str, str]:
    """Return our environment with the mark of the run, and with an absolute `PYTHONPATH`."""
    paths = os.environ.get("PYTHONPATH", "")
    absolute = os.pathsep.join(str(Path(path).absolute()) for path in paths.split(os.pathsep) if path)
    return {**os.environ, **({"PYTHONPATH": absolute} if absolute else {}), MARK: str(folder)}


@contextlib.contextmanager
def _ended_with_us(process: subprocess.Popen[str], folder: Path) -> Iterator[None]:
    """End Snakemake and its jobs when the block ends, also if we are interrupted."""
    try:
        yield
    except BaseException:
        with contextlib.suppress(ProcessLookupError, subprocess.TimeoutExpired):
            os.killpg(process.pid, signal.SIGINT)
            process.wait(_GRACE)
        raise
    finally:
        kill_family(MARK, str(folder))


def _failed(
    planned: Plan,
    folder: Path,
    progress: Progress,
    watch: Watch,
    code: int,
    tell: Callable[[str], None],
    start: int,
) -> W2SError:
    """Return the error to raise, after passing the end of each failed step's log to `tell`.

    The command that repeats the step alone follows its log. `start` is the size of Snakemake's log before
    this run.
    """
    failed = [step for step in planned.steps if step.rule in {*progress.failed, *watch.unnoticed}]
    states = watch.ends_of(failed)
    for step in failed:
        tell(f"\n{step.name} failed; the end of {folder / step.log}:")
        tell("\n".join(f"    {line}" for line in end_of_log(folder / step.log)))
        script = " && ".join(script_of(step, planned.experiment.environments))
        tell(f"To repeat it alone: cd {shlex.quote(str(folder))} && {script}")
        if step.rule in states:
            tell(states[step.rule].text)
    ends = [*(end_of_log(folder / step.log) for step in failed), end_of_log(folder / LOG, start)]
    refused = next(filter(None, (unwritable(end, folder) for end in ends)), None)
    if failed and refused is None:
        names = ", ".join(_with_state(step.name, states.get(step.rule)) for step in failed)
        return DelegateError(
            f"failed: {names}", hint="Fix the cause and run the same command again: it continues from there"
        )
    if progress.refused and (code == _USAGE or progress.total == 0):
        return UserError(f"Snakemake: {progress.refused}", hint="The arguments after -- go to Snakemake")
    if not failed:
        tell("\n".join(f"    {line}" for line in ends[-1]))
    return refused or DelegateError(f"Snakemake failed with exit code {code}", hint=f"See {folder / LOG}")
