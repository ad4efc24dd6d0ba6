"""The loss given default in use, by the parameters, and expected loss by hand."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import pandas as pd
import pytest
import yaml

from workbench.book.book import Book
from workbench.book.expected_loss import customer_lgd, expected_loss, lgd_of
from workbench.core.errors import ParameterError
from workbench.core.workspace import Workspace

AS_OF = date(2025, 6, 30)


@pytest.fixture
def told(new_workspace: Callable[..., Workspace], make_book: Callable[..., Book]) -> Callable[..., Any]:
    """Return a function that gives `lgd_of` a book of autos, of which 40 defaulted, and one card, under some parameters."""
    home = new_workspace()
    ids = [f"L{number:02d}" for number in range(40)]
    frames = {
        "customers": pd.DataFrame({"customer_id": [*ids, "A", "B"]}),
        "loans": pd.DataFrame(
            {"loan_id": [*ids, "A", "B"], "product": ["auto"] * 41 + ["card"], "customer_id": [*ids, "A", "B"],
             "opened_on": date(2022, 1, 1), "written_off_on": [date(2023, 6, 30)] * 40 + [None] * 2}
        ),
        "performance": pd.DataFrame({"loan_id": ids, "month_end": date(2023, 5, 31), "balance": 100.0, "dpd": 120}),
        "payments": pd.DataFrame(
            {"payment_id": ids, "loan_id": ids, "paid_at": pd.Timestamp(2023, 8, 1), "amount": 70.0, "kind": "recovery"}
        ),
    }  # fmt: skip
    book = make_book(frames, within=home)
    path = home.params / "losses.yaml"
    shipped = yaml.safe_load(path.read_text("utf-8"))

    def ask(**changed: Any) -> tuple[dict[str, tuple[float, str]], str]:
        path.write_text(yaml.safe_dump({**shipped, "discount_rate": 0.0, **changed}), "utf-8")
        table, words = lgd_of(book, as_of=AS_OF)
        return {row.product: (pytest.approx(row.lgd), row.source) for row in table.itertuples()}, words

    return ask


def test_a_product_with_too_few_defaults_takes_the_rate_of_all(told: Callable[..., Any]) -> None:
    found, words = told()
    assert found == {"auto": (0.3, "estimated"), "card": (0.3, "estimated, all products")}
    assert words == (
        "Of the exposure of 40 past defaults 30.0 % was lost within 24 months (95 % interval 30.0 % to 30.0 %), discounted "
        "at 0.0 % a year and without the costs of collection. By product: auto 30.0 %. The rate of all products is taken for "
        "those with fewer than 30 defaults: card."
    )


def test_an_estimate_has_a_floor_and_a_number_none(told: Callable[..., Any]) -> None:
    found, words = told(floor=0.5, lgd_by_product={"card": 0.02})
    assert found == {"auto": (0.5, "estimated"), "card": (0.02, "set")}
    assert "No estimate counts as less than 50.0 %" in words
    assert words.endswith("Loss given default as set in params/losses.yaml: card 2.0 %.")


def test_a_number_for_all_and_an_estimate_for_one(told: Callable[..., Any]) -> None:
    assert told(lgd=0.6)[0] == {"auto": (0.6, "set"), "card": (0.6, "set")}
    assert told(lgd=0.6)[1] == "Loss given default as set in params/losses.yaml: auto 60.0 %, card 60.0 %."
    found, _words = told(lgd=0.6, lgd_by_product={"auto": "estimated"})
    assert found == {"auto": (0.3, "estimated"), "card": (0.6, "set")}


def test_without_an_estimate_the_fallback_stands_in_and_says_why(told: Callable[..., Any]) -> None:
    found, words = told(least_defaults=41)
    assert found == {"auto": (0.45, "fallback"), "card": (0.45, "fallback")}
    assert words == (
        "40 loans defaulted at least 24 months before; an estimate needs 41. "
        "A loss given default of 45 % is assumed (params/losses.yaml)."
    )


@pytest.mark.parametrize("wrong", [{"lgd": 1.2}, {"lgd": "guessed"}, {"lgd_by_product": {"card": -0.1}}, {"flor": 0.1}])
def test_wrong_parameters_are_refused(told: Callable[..., Any], wrong: dict[str, Any]) -> None:
    with pytest.raises(ParameterError, match=next(iter(wrong))):
        told(**wrong)


def test_expected_loss_by_hand(make_book: Callable[..., Book]) -> None:
    loans = pd.DataFrame(
        [("L1", "C1", "auto", 1000.0), ("L2", "C1", "card", 500.0), ("L3", "C2", "card", 200.0), ("L4", "C3", None, 50.0),
         ("L5", "C4", "auto", None), ("L6", "C5", "auto", 10.0)],
        columns=["loan_id", "customer_id", "product", "balance"],
    )  # fmt: skip
    months = loans[["loan_id", "balance"]].assign(month_end=AS_OF, dpd=0)
    people = loans[["customer_id"]].drop_duplicates()
    terms = loans.drop(columns="balance").assign(opened_on=date(2023, 1, 1), credit_limit=900.0)
    book = make_book({"customers": people, "loans": terms, "performance": months})
    scores = pd.DataFrame({"customer_id": ["C3", "C4", "C1", "C2", "gone"], "pd": [0.5, 0.5, 0.1, 1.0, 0.5]})
    lgd = pd.DataFrame({"product": ["auto", "card", None], "lgd": [0.3, 0.6, 0.8]})
    table = expected_loss(book, as_of=AS_OF, scores=scores, lgd=lgd).set_index("customer_id")
    assert table.index.tolist() == ["C1", "C2", "C3", "C4"]  # C5 has no score
    assert table.loc["C1"].tolist() == pytest.approx([1500, (300 + 300) / 1500, 0.1, 0.1 * 600])
    assert table["expected_loss"].tolist()[1:3] == pytest.approx([120, 20])
    assert table.loc["C4", ["exposure", "lgd", "expected_loss"]].isna().all()
    few = expected_loss(book, as_of=AS_OF, scores=scores, lgd=lgd.head(1)).set_index("customer_id")
    assert few["expected_loss"].isna().tolist() == [True, True, True, True]  # a card of which no rate is known


def test_the_lgd_of_a_customer_is_that_of_the_loans_held_on_a_day(make_book: Callable[..., Book]) -> None:
    book = make_book(
        {
            "customers": pd.DataFrame({"customer_id": ["C"]}),
            "loans": pd.DataFrame(
                {
                    "loan_id": ["A", "B"],
                    "customer_id": "C",
                    "product": ["auto", "card"],
                    "opened_on": [date(2023, 1, 5), date(2023, 3, 5)],
                    "principal": [100.0, 300.0],
                }
            ),
            "performance": pd.DataFrame(
                {
                    "loan_id": ["A", "A", "B"],
                    "month_end": [date(2023, 2, 28), date(2023, 3, 31), date(2023, 3, 31)],
                    "dpd": 0,
                    "balance": [100.0, 100.0, 300.0],
                }
            ),
        }
    )
    rates = pd.DataFrame({"product": ["auto", "card"], "lgd": [0.2, 0.6]})
    as_of = date(2023, 3, 31)
    assert customer_lgd(book, as_of=as_of, day=as_of, lgd=rates)["C"] == pytest.approx((100 * 0.2 + 300 * 0.6) / 400)
    assert customer_lgd(book, as_of=as_of, day=date(2023, 2, 28), lgd=rates)["C"] == pytest.approx(0.2)
