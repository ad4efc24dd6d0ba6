"""`workbench run`, `pipeline` and `demo`."""

from __future__ import annotations

from typing import Any

import click

from workbench.book.simulated import simulate_book
from workbench.cli.console import EXIT_ALERTS, LANG, print_json, steps
from workbench.cli.lender import described, lender_options
from workbench.core.errors import ParameterError
from workbench.models.scoring import has_alias
from workbench.monitoring.rules import SEVERITIES
from workbench.runs.parameters import parse_assignments
from workbench.runs.pipeline import PipelineResult, alerts_at_or_above, run_pipeline
from workbench.runs.run import run_notebook

DEMO_BOOK = "demo"
FAIL_ON = click.option(
    "--fail-on", type=click.Choice(SEVERITIES), help="Exit with code 4 if alerts of this severity or worse are open."
)


@click.command()
@click.argument("notebook")
@click.option("--book", default="", help="Name of the book.")
@click.option("--sample", default="", help="Name of a flat table of params/samples/, instead of a book.")
@click.option("--as-of", help="Observation date; by default the book's last month end.")
@click.option("-p", "assignments", multiple=True, metavar="NAME=VALUE", help="A parameter of the notebook; repeatable.")
@LANG
@click.option("--json", "as_json", is_flag=True, help="Print the result for a program.")
@click.pass_obj
def run(
    workspace: Any,
    notebook: str,
    book: str,
    sample: str,
    as_of: str | None,
    assignments: tuple[str, ...],
    as_json: bool,
) -> None:
    """Run one NOTEBOOK on a book, or on a flat sample, and publish its page.

    Example: workbench run 30_scorecard --book demo -p max_variables=8
    """
    with steps() as running:
        result = run_notebook(
            workspace(),
            notebook,
            book=book,
            sample=sample,
            as_of=as_of,
            parameters=parse_assignments(assignments),
            progress=running.step(notebook),
        )
    if as_json:
        print_json({"run_id": result.run_id, "folder": str(result.folder), "seconds": result.seconds, **result.summary})
    else:
        click.echo(str(result.folder / f"{notebook}.html"))


@click.command()
@click.option("--book", required=True, help="Name of the book; one that params/books/ describes is imported first.")
@click.option("--as-of", help="Observation date; by default the book's last month end.")
@click.option("--refit", is_flag=True, help="Fit the scorecard anew even if the book has a champion.")
@FAIL_ON
@LANG
@click.option("--json", "as_json", is_flag=True, help="Print the result for a program.")
@click.pass_obj
def pipeline(workspace: Any, book: str, as_of: str | None, refit: bool, fail_on: str | None, as_json: bool) -> int:
    """Run every stage of a book, in order.

    Example: workbench pipeline --book aart
    """
    with steps() as running:
        result = run_pipeline(workspace(), book, as_of=as_of, refit=refit, progress=running.step)
    return _finish(workspace(), result, book=book, fail_on=fail_on, as_json=as_json)


@click.command()
@lender_options
@FAIL_ON
@LANG
@click.option("--json", "as_json", is_flag=True, help="Print the result for a program.")
@click.pass_obj
def demo(
    workspace: Any,
    customers: int,
    months: int,
    seed: int,
    start: str,
    switches: tuple[str, ...],
    fail_on: str | None,
    as_json: bool,
) -> int:
    """Simulate a lender as the book `demo`, run every stage on it, and say what was found.

    Example: workbench demo --customers 2000
    """
    if months < 30:
        raise ParameterError(
            f"months: found {months}, expected at least 30: 6 of history, 12 of outcome, and later ones to validate on."
        )
    lender = described(start, switches)
    opened = workspace()
    with steps() as running:
        tell = running.step(f"simulate {customers:,} customers, {months} months")
        simulate_book(
            opened,
            DEMO_BOOK,
            customers=customers,
            months=months,
            seed=seed,
            **lender,
            on_month=lambda done, total: tell(f"month {done} of {total}"),
        )
        result = run_pipeline(opened, DEMO_BOOK, refit=True, progress=running.step)
    return _finish(opened, result, book=DEMO_BOOK, fail_on=fail_on, as_json=as_json)


def _finish(workspace: Any, result: PipelineResult, *, book: str, fail_on: str | None, as_json: bool) -> int:
    if as_json:
        print_json(
            {
                "as_of": str(result.as_of),
                "promotion": result.promotion,
                "runs": {
                    name: {
                        "run_id": run.run_id,
                        "folder": str(run.folder),
                        "seconds": run.seconds,
                        "summary": run.summary,
                    }
                    for name, run in result.runs.items()
                },
            }
        )
    else:
        _tell(workspace, result, book)
    if fail_on and alerts_at_or_above(result, fail_on, SEVERITIES):
        return EXIT_ALERTS
    return 0


def _tell(workspace: Any, result: PipelineResult, book: str) -> None:
    panel, card = result.summary("20_indicators"), result.summary("30_scorecard")
    alerts = result.summary("40_monitoring").get("alerts", {})
    click.echo(f"\nbook {book} at {result.as_of}: {panel.get('customers', 0):,} active customers")
    if card:
        click.echo(
            f"scorecard: {card['variables']} variables, bad rate {card['bad_rate']:.1%} in {card['window_months']} months; "
            f"out of time Gini {card['gini_oot']:.3f} ({card['gini_oot_low']:.3f} to {card['gini_oot_high']:.3f}), "
            f"KS {card['ks_oot']:.3f} ({card['ks_oot_low']:.3f} to {card['ks_oot_high']:.3f})"
        )
    click.echo(f"model: {result.promotion}")
    click.echo("alerts: " + (", ".join(f"{count:,} {severity}" for severity, count in alerts.items()) or "none"))
    report = result.runs["60_risk_report"]
    click.echo(f"\nrisk report: {report.folder / '60_risk_report.html'}")
    click.echo(f"all reports: {workspace.reports / 'index.html'}")
    monitoring = result.runs["40_monitoring"]
    click.echo(f"alert list:  {monitoring.folder / 'alerts.xlsx'}")
    name = f"{book}_scorecard"
    ref = name if has_alias(workspace, name, "champion") else f"{name}@candidate"
    click.echo("\nnext: make lab (or: workbench lab) and open notebooks/30_scorecard.ipynb;")
    click.echo(f"      workbench model show {ref}; workbench mlflow; workbench run 40_monitoring --book {book}")
