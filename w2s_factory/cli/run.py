"""`w2s-factory run`: a whole experiment, planned, drawn or carried out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from w2s_factory.cli.help import HeadedCommand, heading
from w2s_factory.cli.next_steps import shown
from w2s_factory.cli.options import PATH, number
from w2s_factory.quantities import Jobs

if TYPE_CHECKING:
    from pathlib import Path

    from w2s_factory.experiment.slurm_jobs import JobsLeft

_experiment = heading("Experiment")
_plan = heading("Show the plan instead of running it")
_where = heading("Where jobs run")


@click.command(cls=HeadedCommand)
@click.argument("file", type=PATH)
@click.argument("arguments", nargs=-1, metavar="[-- SNAKEMAKE ARGUMENTS]")
@_experiment(
    "--preset", metavar="NAME",
    help="A preset of the experiment file, such as smoke: its settings replace those of the file.",
)  # fmt: skip
@_experiment(
    "--output-dir", type=PATH, metavar="DIR", show_default="runs/NAME, with --preset runs/NAME_PRESET",
    help="The folder of the run. A run in the same folder is resumed.",
)  # fmt: skip
@_plan("--dry-run", is_flag=True, help="Print every step with what it reads, writes and needs.")
@_plan("--dag", type=PATH, metavar="FILE.svg", help="Draw the steps as a graph.")
@_experiment(
    "--force", is_flag=True,
    help="Only warn of a training template that differs from what generation will ask.",
)  # fmt: skip
@_where(
    "--jobs", type=number(Jobs), metavar="N", show_default="all cores, or 100 with --executor",
    help="Processor cores to use; with --executor, the number of jobs at the same time.",
)  # fmt: skip
@_where(
    "--executor", metavar="NAME", show_default="this machine",
    help="The Snakemake executor that runs the jobs, such as slurm.",
)  # fmt: skip
@_where(
    "--jobs-left", type=click.Choice(["wait", "cancel"]), default="wait", show_default=True,
    help="What to do first with jobs that an earlier run left in Slurm: wait for their end or cancel them.",
)  # fmt: skip
@_where(
    "--take-over", is_flag=True,
    help="Continue although a run on another machine, or jobs in a Slurm that does not answer, may still be "
    "active in the folder. Make sure they are not.",
)  # fmt: skip
def command(
    file: Path,
    arguments: tuple[str, ...],
    output_dir: Path | None,
    preset: str | None,
    force: bool,
    dry_run: bool,
    dag: Path | None,
    jobs: int | None,
    executor: str | None,
    jobs_left: JobsLeft,
    take_over: bool,
) -> None:
    """Run or resume an experiment, up to its report.

    FILE is an experiment file, as init writes it, or the name of one that comes with the package:
    arithmetic, gsm8k_llama2_7b, and so on. Run the same command again to resume: steps that are not complete,
    or that depend on an edited setting, are run, the others are not. Arguments after -- are passed to
    Snakemake.

    \b
    Examples:
      w2s-factory run experiments/arithmetic.yaml --preset smoke
      w2s-factory run experiments/arithmetic.yaml --dry-run
      w2s-factory run experiments/arithmetic.yaml --dag plan.svg
      w2s-factory run experiment.yaml --executor slurm --jobs 8 -- --default-resources slurm_account=me
    """  # noqa: D301  click reads \b
    from w2s_factory.experiment.checked_plan import note_on_gpu, plan_experiment
    from w2s_factory.experiment.run import run

    if dry_run or dag is not None:
        plan = plan_experiment(file, preset, force=force)
        note = note_on_gpu(plan, file) if executor in (None, "local") else None
        if note is not None:
            click.echo(f"Note: {note}", err=True)
        if dry_run:
            from w2s_factory.experiment.plan_view import as_table

            click.echo(as_table(plan))
        if dag is not None:
            from w2s_factory.experiment.plan_view import draw_plan

            click.echo(f"Wrote {draw_plan(plan, dag)} ({len(plan.steps):,} steps)")
        return
    ran = run(
        file,
        output_dir=output_dir,
        preset=preset,
        jobs=jobs,
        executor=executor,
        arguments=arguments,
        force=force,
        jobs_left=jobs_left,
        take_over=take_over,
    )
    if ran.answer:
        click.echo(ran.answer)
        click.echo(f"the report: {shown(ran.report)}")
    else:
        click.echo("the report was not updated: the arguments after -- ended Snakemake before that step")
