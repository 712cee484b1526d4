"""Running an experiment: the call of Snakemake, and the report of failed steps."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import subprocess
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import psutil

from w2s_factory.building.stage2_headroom import BELOW, headroom_in_words
from w2s_factory.errors import DelegateError, UserError, W2SError
from w2s_factory.experiment import slurm
from w2s_factory.experiment.checked_plan import plan_experiment, trainings_of
from w2s_factory.experiment.gpu_check import check_gpu
from w2s_factory.experiment.headroom_steps import HEADROOM
from w2s_factory.experiment.load import file_of, with_line
from w2s_factory.experiment.package_check import check_packages
from w2s_factory.experiment.plan import REPORT
from w2s_factory.experiment.restoration import restore
from w2s_factory.experiment.run_folder import (
    MARK,
    held,
    mark_of,
    prepare,
    refuse_others,
    unwritable,
    writing,
)
from w2s_factory.experiment.slurm_jobs import adopt, end_earlier, recorded
from w2s_factory.experiment.slurm_watch import Watch
from w2s_factory.experiment.status_view import drawn
from w2s_factory.experiment.workflow import LOG, RESTORED, is_dry, restoring, script_of, snakemake_command
from w2s_factory.experiment.workflow_progress import Progress
from w2s_factory.processes import kill_family, say
from w2s_factory.quantities import Jobs
from w2s_factory.records import read_object
from w2s_factory.terminal import end_of_log

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from w2s_factory.experiment.plan import Plan
    from w2s_factory.experiment.slurm_jobs import JobsLeft
    from w2s_factory.experiment.slurm_watch import End
    from w2s_factory.experiment.steps import Step


RUNS: Final = Path("runs")

_GRACE = 10.0
"""Seconds for Snakemake, once interrupted, to end its jobs and cancel those of a cluster."""

_CONTINUES = "interrupted; the same command continues from there"

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
    live: bool = False,
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
        live: Draw the steps and their progress on stderr if it is a terminal, instead of the lines for steps.
        tell: The function that gets a line for each step that starts or ends.

    Raises:
        UserError: The file cannot be used, an input or a package is missing, another run is or may be active
            in the folder, or Slurm does not answer.
        DelegateError: A step failed; the end of its output was passed to `tell`.
    """
    planned = plan_experiment(file, preset, force=force, ahead=False, tell=tell)
    name, here = planned.experiment.name, executor in (None, "local") and not arguments
    folder = Path(output_dir or RUNS / (f"{name}_{preset}" if preset else name)).absolute()
    command = snakemake_command(planned, folder, jobs=jobs, executor=executor, arguments=arguments)
    try:
        carry_out(
            planned,
            folder,
            command,
            source=file_of(file),
            gpu_for=file if here else None,
            jobs_left=jobs_left,
            take_over=take_over,
            live=live,
            tell=tell,
        )
    except UserError as error:
        raise with_line(error, file, preset) from None
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


def carry_out(  # noqa: PLR0913  they are those of `run`
    planned: Plan,
    folder: Path,
    command: Sequence[str],
    *,
    source: Path | None = None,
    gpu_for: object = None,
    jobs_left: JobsLeft = "wait",
    take_over: bool = False,
    live: bool = False,
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
        live: Draw the steps and their progress on stderr if it is a terminal, instead of the lines for steps.
        tell: The function that gets a line for each step that starts or ends.

    Raises:
        UserError: An input is missing, another run is or may be active in the folder, a file cannot be
            written, a package is missing, or a training needs a GPU and there is none.
        DelegateError: A step failed; the end of its output was passed to `tell`.
    """
    refuse_others(planned.experiment.name, folder)  # before anything is written there
    if gpu_for is not None:
        check_packages(planned, trainings_of(planned.experiment), gpu_for, folder)
        check_gpu(planned, trainings_of(planned.experiment), gpu_for, folder)
    steps = {step.rule: step for step in planned.steps}
    with held(folder, take_over=take_over), _continued(tell):
        end_earlier(folder, steps, jobs_left, take_over=take_over, tell=tell)
        prepare(planned, folder, source)
        carried_out = partial(_carry_out, planned, folder, tell=tell, live=live)
        repeat, dry = partial(_repeat, carried_out, command), partial(is_dry, command)
        restored = restore(planned, folder, repeat, _environment(folder), tell, dry=dry)
        total = carried_out(command).total
    if total == 0 and not restored:
        tell("nothing to do: every step is complete")


@contextlib.contextmanager
def _continued(tell: Callable[[str], None]) -> Iterator[None]:
    """Pass to `tell` how the run is continued if the block is interrupted, also while it waits for jobs."""
    try:
        yield
    except KeyboardInterrupt:
        tell(_CONTINUES)
        raise


def _carry_out(
    planned: Plan,
    folder: Path,
    command: Sequence[str],
    only: Sequence[Step] = (),
    *,
    tell: Callable[[str], None],
    live: bool,
) -> Progress:
    """Carry out what is not up to date, or steps to restore alone; return what was to do and was done.

    Raises:
        UserError: A file cannot be written, or Snakemake refuses its arguments.
        DelegateError: A step failed.
    """
    start = _size(folder / LOG)
    progress = _progress(planned, folder, command, tell)
    progress.ended = partial(_tell_headroom, planned, folder, tell)
    watch = _watch(planned, tell, progress)
    with contextlib.ExitStack() as stack:
        if live and stack.enter_context(drawn(folder, lambda: not (only or watch.only_lost_completed))):
            progress.tell = lambda _: None
        stack.enter_context(recorded(folder, command))
        stack.enter_context(watch.watching(command))
        code = _snakemake(command, folder, progress, watch, {RESTORED: " ".join(step.rule for step in only)})
    if code == 0:
        return progress
    if not only and watch.only_lost_completed:
        tell("all jobs that Snakemake did not notice have completed: continuing")
        adopt(folder)
        again = _carry_out(planned, folder, command, tell=tell, live=live)
        return replace(again, total=progress.total)
    raise _failed(planned, folder, progress, watch, code, tell, start)


def _watch(planned: Plan, tell: Callable[[str], None], progress: Progress) -> Watch:
    steps = {step.rule: step for step in planned.steps}
    return Watch(steps, planned.experiment.resources.retries, tell, progress)


def _progress(planned: Plan, folder: Path, command: Sequence[str], tell: Callable[[str], None]) -> Progress:
    names, logs = {}, {}
    for step in planned.steps:
        names[step.rule], logs[step.rule] = step.name, folder / step.log
    starts = "is submitted" if "--executor" in command else "starts"
    return Progress(names, tell, logs, starts)


def _tell_headroom(planned: Plan, folder: Path, tell: Callable[[str], None], rule: str) -> None:
    """Pass the headroom of Stage II, in words, to `tell` when the step that measures it has ended."""
    for step in planned.steps:
        if step.rule == rule and step.name.endswith(f"/{HEADROOM}"):
            with contextlib.suppress(UserError):  # the file may be late to appear on another machine
                first, *others = headroom_in_words(read_object(folder / step.writes[0]))
                for line in (f"{step.name}: {first}", *others):
                    tell(line)


def _too_little_headroom(failed: Sequence[Step], folder: Path) -> DelegateError | None:
    """Return the error if the headroom of Stage II, and nothing else, ended a run; None otherwise."""
    ends = {step.name: end_of_log(folder / step.log)[-1:] for step in failed}
    if not failed or not all(BELOW in line for end in ends.values() for line in end or [""]):
        return None
    said = [f"{name}: {end[0].removeprefix('Error: ')}" for name, end in ends.items()]
    hint = "Stage II is not trained; with a lower stage2.require_headroom, or without it, the run continues"
    return DelegateError("; ".join(said), hint=hint)


def _repeat(carried_out: Callable[..., Progress], command: Sequence[str], steps: Sequence[Step]) -> bool:
    """Repeat complete steps and nothing else; return whether Snakemake did.

    Raises:
        UserError: A file cannot be written, or Snakemake refuses its arguments.
        DelegateError: A step failed.
    """
    command = restoring(command, [step.rule for step in steps])
    return carried_out(command, steps).done >= len(steps)


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
    environment = _environment(folder)
    if slurm.submits(command):
        environment = slurm.unfiltered(environment)
    process = subprocess.Popen(
        list(command),
        cwd=folder,
        env={**environment, **environ},
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
        return process.wait()


def _interrupt_if_idle(snakemake: int) -> bool:
    """Interrupt Snakemake, by its process number, unless it runs a step here; return whether it was."""
    with contextlib.suppress(psutil.NoSuchProcess):
        if not psutil.Process(snakemake).children():
            os.killpg(snakemake, signal.SIGINT)
            return True
    return False


def _environment(folder: Path) -> dict[str, str]:
    """Return our environment with the mark of the run, and with an absolute `PYTHONPATH`."""
    paths = os.environ.get("PYTHONPATH", "")
    absolute = os.pathsep.join(str(Path(path).absolute()) for path in paths.split(os.pathsep) if path)
    return {**os.environ, **({"PYTHONPATH": absolute} if absolute else {}), MARK: mark_of(folder)}


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
        kill_family(MARK, mark_of(folder))


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
    failed = [step for step in planned.steps if step.rule in {*progress.failed, *watch.lost}]
    if (stopped := _too_little_headroom(failed, folder)) is not None:
        return stopped
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
        hint = "Fix the cause and run the same command again: it continues from there"
        return DelegateError(f"failed: {names}", hint=hint, topic="step-failed")
    if progress.refused and (code == _USAGE or progress.total == 0):
        return UserError(f"Snakemake: {progress.refused}", hint="The arguments after -- go to Snakemake")
    if not failed:
        tell("\n".join(f"    {line}" for line in ends[-1]))
    return refused or DelegateError(f"Snakemake failed with exit code {code}", hint=f"See {folder / LOG}")
