"""A notebook made of every block, as papermill would leave it, and hostile text."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any

import nbformat
import numpy as np
import pandas as pd
from IPython.core.formatters import DisplayFormatter

from workbench.reporting import blocks, plots
from workbench.reporting.blocks import ColumnFormat, Tile

ATTACKS = [
    "<script>document.title='hacked'</script>",
    "<img src=x onerror=document.title='hacked'>",
    "</style></table><b>out</b>",
    "\"><a href='javascript:alert(1)'>x</a>",
    "{html} {0} %s ${{7*7}}",
    '=HYPERLINK("http://x.example")',
    "a\x00b\x1fc\x85d",
    "1,000\u202e000,9\u2066",
    "\ud800 lone surrogate",
    "N" * 10_000,
    "王小明 🏦 Ж",
]


class Tags(HTMLParser):
    """The tags and attributes that a browser would see."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [name for name, _ in attrs]


def output_of(value: Any) -> Any:
    """Return the notebook output that IPython makes of `value`."""
    data, metadata = DisplayFormatter().format(value)
    return nbformat.v4.new_output("execute_result", data=data, metadata=metadata, execution_count=1)


def code(*values: Any, source: str = "hidden_source()", tags: tuple[str, ...] = ()) -> Any:
    """Return an executed code cell that shows `values`."""
    return nbformat.v4.new_code_cell(source, outputs=[output_of(v) for v in values], metadata={"tags": list(tags)})


def markdown(text: str) -> Any:
    """Return a markdown cell."""
    return nbformat.v4.new_markdown_cell(text)


def customers(rows: int = 12) -> pd.DataFrame:
    """Return a high-risk list."""
    rng = np.random.default_rng(7)
    return pd.DataFrame(
        {
            "customer_id": [f"C{100000 + i}" for i in range(rows)],
            "name": [["王小明", "Ana Petrović", "J. Doe"][i % 3] for i in range(rows)],
            "as_of": pd.Timestamp("2026-06-30"),
            "score": np.round(rng.normal(560, 30, rows)),
            "pd_12m": rng.beta(2, 20, rows),
            "exposure": np.round(rng.lognormal(9, 1, rows), 2),
            "dpd": rng.integers(0, 90, rows),
            "severity": [["red", "orange", "yellow"][i % 3] for i in range(rows)],
            "reasons": [["Score fell by 41 points", "Income 30 % below own past"][: 1 + i % 2] for i in range(rows)],
        }
    )


CUSTOMER_COLUMNS = {
    "customer_id": ColumnFormat("Customer"),
    "name": ColumnFormat("Name"),
    "as_of": ColumnFormat("As of", "date"),
    "score": ColumnFormat("Score", "score"),
    "pd_12m": ColumnFormat("PD, 12 months", "percent"),
    "exposure": ColumnFormat("Exposure", "money", unit="EUR"),
    "dpd": ColumnFormat("Past due", "integer", unit="days"),
    "severity": ColumnFormat("Severity", "status"),
    "reasons": ColumnFormat("Reasons"),
}


def plotted() -> dict[str, Any]:
    """Return every plot on a small computed table."""
    rng = np.random.default_rng(3)
    months = pd.date_range("2024-01-31", periods=24, freq="ME")
    rate = 0.03 + 0.0006 * np.arange(24) + rng.normal(0, 0.002, 24)
    low = np.arange(440, 700, 20)
    x = np.linspace(0, 1, 60)
    ages = np.arange(1, 19)
    vintage = [
        pd.DataFrame(
            {"vintage": f"{y}Q{q}", "age_months": ages, "bad_rate": 0.002 * ages * (1 + 0.15 * (y - 2023) + 0.05 * q)}
        )
        for y in (2023, 2024)
        for q in (1, 2, 3, 4)
    ]
    grades = pd.DataFrame({"grade": list("ABCDEFG"), "customers": [4100, 5200, 4300, 3100, 1900, 900, 500]})
    grades["exposure"] = grades["customers"] * np.array([9, 10, 11, 11, 12, 13, 14]) * 1000.0
    buckets = pd.DataFrame(
        {"bucket": ["current", "1-29", "30-59", "60-89", "90+"], "customers": [17800, 1200, 480, 220, 300]}
    )
    decile = pd.DataFrame({"decile": range(1, 11), "bad_rate": np.geomspace(0.005, 0.14, 10)})
    return {
        "grades": plots.plot_grade_distribution(grades),
        "delinquency": plots.plot_delinquency(buckets),
        "scores": plots.plot_score_distribution(
            pd.DataFrame(
                {
                    "score_low": low,
                    "score_high": low + 20,
                    "good": 9000 * np.exp(-(((low - 600) / 45) ** 2)),
                    "bad": 400 * np.exp(-(((low - 530) / 45) ** 2)),
                }
            )
        ),
        "calibration": plots.plot_calibration(
            pd.DataFrame(
                {"predicted": (p := np.geomspace(0.005, 0.2, 8)), "observed": p * 1.08, "low": p * 0.9, "high": p * 1.3}
            )
        ),
        "roc": plots.plot_roc(pd.DataFrame({"fpr": x, "tpr": x**0.3}), gini=0.541),
        "ks": plots.plot_ks(pd.DataFrame({"score": 400 + 300 * x, "cum_good": x**2.2, "cum_bad": 1 - (1 - x) ** 2.2})),
        "trend": plots.plot_bad_rate_trend(
            pd.DataFrame({"month": months, "bad_rate": rate, "low": rate - 0.004, "high": rate + 0.004})
        ),
        "forecast": plots.plot_forecast(
            pd.DataFrame(
                {
                    "month": months,
                    "value": rate,
                    "low": rate - 0.004,
                    "high": rate + 0.004,
                    "forecast": np.arange(len(months)) >= len(months) - 6,
                }
            ),
            title="Default rate",
        ),
        "amount": plots.plot_amount_trend(
            pd.DataFrame({"month": months, "amount": 2e6 + 4e7 * rate}), title="Credit limits", unit="EUR"
        ),
        "vintage": plots.plot_vintage(pd.concat(vintage)),
        "roll": plots.plot_roll_rate(
            pd.DataFrame(
                {
                    "month": [str(m.date())[:7] for m in months] * 2,
                    "from_bucket": ["1-29"] * 24 + ["30-59"] * 24,
                    "rate": [*(rate * 5), *(rate * 12)],
                }
            )
        ),
        "roll matrix": plots.plot_roll_matrix(
            pd.DataFrame(
                {
                    "from_bucket": ["current"] * 3 + ["1-29"] * 3 + ["90+"] * 3,
                    "to_bucket": ["current", "1-29", "written off"] * 3,
                    "share": [0.95, 0.0496, 0.0004, 0.4, 0.6, 0, None, None, None],
                }
            ),
            before="months 1 to 12",
            after="months 13 to 24",
        ),
        "by window": plots.plot_bad_rate_by_window(
            pd.DataFrame(
                {
                    "as_of": [months[0]] * 4 + [months[6]] * 3,
                    "window_months": [3, 6, 12, 24, 3, 6, 12],
                    "bad_rate": [0.01, 0.02, 0.033, 0.045, 0.012, 0.023, 0.039],
                }
            ),
            chosen_months=12,
        ),
        "missing": plots.plot_missingness(
            pd.DataFrame(
                {"column": ["employed_since", "education", "monthly_income"], "missing_share": [0.21, 0.08, 0.012]}
            )
        ),
        "decile": plots.plot_decile_bad_rate(
            decile.assign(low=decile.bad_rate * 0.8, high=decile.bad_rate * 1.25), indicator="utilisation"
        ),
        "alerts": plots.plot_alerts(pd.DataFrame({"severity": ["red", "orange", "yellow"], "alerts": [42, 131, 260]})),
    }


def report_cells() -> list[Any]:
    """Return the cells of a report that uses every block, with hostile values among them."""
    hostile = customers(len(ATTACKS)).assign(name=pd.Series(ATTACKS, dtype=object))
    grades = pd.DataFrame(
        {"grade": list("ABCDEFG"), "customers": [4100, 5200, 4300, 3100, 1900, 900, 500], "el": np.arange(7) * 1e5}
    )
    columns = {
        "grade": ColumnFormat("Grade"),
        "customers": ColumnFormat("Customers", "integer"),
        "el": ColumnFormat("Expected loss", "money", unit="EUR"),
    }
    facts = {
        "Portfolio": "demo",
        "As of": pd.Timestamp("2026-06-30"),
        "Model": "scorecard 3 (champion)",
        "Performance window": "12 months",
        "Data hash": "9f2c41d0",
        "Status": blocks.chip("amber", "Watch"),
    }
    tiles = blocks.tiles(
        [
            Tile(
                "Bad rate, 12 months",
                "3.4 %",
                "of customers",
                "pass",
                "+0.2 points on May",
                threshold="at most 4.0 %",
                history=[0.031, 0.033, 0.032, 0.034],
            ),
            Tile("Exposure", "EUR 214.6m", "20,000 customers", None, "+1.1 % on May"),
            Tile("Gini, out of time", "0.541", "0.512 to 0.569", "amber", "-0.012 on development"),
            Tile("Red alerts", "42", "new since 31 May: 17", "red"),
        ]
    )
    alt = "Chart whose figures are in the table beside it"
    figures = [blocks.figure(ax, alt=f"{alt}: {name}", caption=f"Figure: {name}.") for name, ax in plotted().items()]
    return [
        markdown("# Risk report\n\nWho reads it: the risk committee."),
        code(source="as_of = '2026-06-30'", tags=("parameters",)),
        code(blocks.header("Risk report", "Demo portfolio: where the risk is and where it is heading", facts)),
        markdown("## The answer"),
        code(tiles),
        code(
            blocks.finding("Risk rose a little: 3.4 % of customers go bad in 12 months, after 3.2 % in May.", "amber")
        ),
        code(
            blocks.finding("The scorecard still ranks: Gini 0.541 out of time.", "pass"),
            blocks.not_assessed("Strategy"),
        ),
        markdown("## Where the risk is\n\nGrades follow the calibrated PD."),
        code(figures[0], blocks.table(grades, caption="By grade", columns=columns, total=True)),
        markdown("### Delinquency"),
        code(*figures[1:4]),
        markdown("## Customers to look at first"),
        code(blocks.table(customers(40), caption="Highest risk", columns=CUSTOMER_COLUMNS, total=True, max_rows=8)),
        code(blocks.table(customers(3), caption="As cards", columns=CUSTOMER_COLUMNS, total=True, cards=True)),
        code(blocks.table(hostile, caption="Hostile " + ATTACKS[0], columns=CUSTOMER_COLUMNS, cards=True)),
        markdown("## The model\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\nSee `params/gates.yaml`."),
        code(*figures[4:]),
        markdown("## Definitions and limits"),
        code(blocks.definitions({"PD": "Calibrated probability of 90+ DPD in 12 months", "EL": "PD x LGD x EAD"})),
        code(blocks.footnote("Made from run 20260701-0312."), source="shown_source()", tags=("show-code",)),
    ]
