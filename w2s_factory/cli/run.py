"""`w2s-factory run`: a whole experiment."""

from __future__ import annotations

from pathlib import Path

import click

from w2s_factory.cli.next_steps import shown
from w2s_factory.cli.numbers import number
from w2s_factory.quantities import Jobs

_PATH = click.Path(path_type=Path)


@click.command()
@click.argument("file", type=_PATH)
@click.argument("arguments", nargs=-1, metavar="[-- SNAKEMAKE ARGUMENTS]")
@click.option(
    "--output-dir", type=_PATH, metavar="DIR", help="The run's folder. [default: runs/NAME, or NAME_PRESET]"
)
@click.option("--preset", metavar="NAME", help="One of the file's presets (smoke ...) laid over it.")
@click.option("--dry-run", is_flag=True, help="Show every step, what it reads, writes and needs; no more.")
@click.option("--dag", type=_PATH, metavar="FILE.svg", help="Draw the steps into a picture; no more.")
@click.option("--jobs", type=number(Jobs), metavar="N", help="Cores; with --executor, jobs at once.")
@click.option("--executor", metavar="NAME", help="Where jobs run: slurm, or any executor of Snakemake.")
def command(
    file: Path,
    arguments: tuple[str, ...],
    output_dir: Path | None,
    preset: str | None,
    dry_run: bool,
    dag: Path | None,
    jobs: int | None,
    executor: str | None,
) -> None:
    """Run an experiment FILE up to its report: plan, resume, report.

    FILE may also name one that comes with the package: arithmetic, gsm8k_llama2_7b ...

    Started again, it does what is not complete yet, or depends on a setting that was edited. What stands
    after -- goes to Snakemake.

    \b
    Examples:
      w2s-factory run experiments/arithmetic.yaml --preset smoke
      w2s-factory run experiments/arithmetic.yaml --dry-run
      w2s-factory run experiments/arithmetic.yaml --dag plan.svg
      w2s-factory run experiment.yaml --executor slurm --jobs 8 -- --default-resources slurm_account=me
    """  # noqa: D301  click reads \b
    from w2s_factory.experiment.run import plan_experiment, run

    if dry_run or dag is not None:
        plan = plan_experiment(file, preset)
        if dry_run:
            from w2s_factory.experiment.plan_view import as_table

            click.echo(as_table(plan))
        if dag is not None:
            from w2s_factory.experiment.plan_view import draw_plan

            click.echo(f"wrote {draw_plan(plan, dag)} ({len(plan.steps):,} steps)")
        return
    ran = run(file, output_dir=output_dir, preset=preset, jobs=jobs, executor=executor, arguments=arguments)
    if ran.answer:
        click.echo(ran.answer)
        click.echo(f"the report: {shown(ran.report)}")
    else:
        click.echo("the report was not brought up to date: the arguments after -- kept Snakemake from it")
