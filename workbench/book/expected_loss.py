"""Expected loss: the loss given default to use, set or estimated by `params/losses.yaml`, times PD times exposure."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

import ibis
import pandas as pd
from ibis import _
from pydantic import BaseModel, ConfigDict, Field

from workbench.book.book import Book
from workbench.book.lgd import loss_given_default
from workbench.book.performance import performance
from workbench.core.languages import language, listed, mark, say
from workbench.core.yaml_files import load_params

ESTIMATED, ALL_PRODUCTS = mark("estimated"), mark("estimated, all products")
SET, FALLBACK = mark("set"), mark("fallback")
Share = Annotated[float, Field(ge=0, le=1)]


class Losses(BaseModel):
    """Where the loss given default comes from."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    lgd: Literal["estimated"] | Share
    lgd_by_product: dict[str, Literal["estimated"] | Share]
    fallback: Share
    floor: Share
    discount_rate: float = Field(ge=0, le=1)
    workout_months: int = Field(ge=1, le=120)
    least_defaults: int = Field(ge=2)


def lgd_of(book: Book, *, as_of: date) -> tuple[pd.DataFrame, str]:
    """Return the loss given default to use for each product at `as_of`, and in words where it comes from.

    By `params/losses.yaml`: a number that is set, or the estimate of `loss_given_default` for the product, for all products
    where the product has too few defaults, or else the fallback. Estimates are those weighted by exposure, and no lower than
    the floor.

    Returns
    -------
    DataFrame
        product (of the loans open at `as_of`; null for loans without one), lgd, low and high (null but for an estimate),
        defaults, source (estimated; estimated, all products; set; fallback).
    str
        A sentence or more.
    """
    losses = load_params(Losses, book.workspace.params / "losses.yaml")
    loans = book.as_known("loans", as_of=as_of).filter(_.closed_on.isnull() & _.written_off_on.isnull())
    products = loans.select("product").distinct().order_by("product").to_pandas()["product"].tolist()
    asked = [losses.lgd_by_product.get(name, losses.lgd) for name in products]
    found = pd.DataFrame()
    if "estimated" in asked:
        found = loss_given_default(
            book, as_of=as_of, workout_months=losses.workout_months, discount_rate=losses.discount_rate,
            least_defaults=losses.least_defaults,
        )  # fmt: skip
    rows = [{"product": name, **_chosen(name, want, losses, found)} for name, want in zip(products, asked, strict=True)]
    table = pd.DataFrame(rows, columns=["product", "lgd", "low", "high", "defaults", "source"])
    return table, _words(table, losses, found)


def _chosen(product: str, want: float | str, losses: Losses, found: pd.DataFrame) -> dict[str, object]:
    if not isinstance(want, str):
        return {"lgd": want, "defaults": 0, "source": SET}
    for row, source in ((found[found["product"] == product], ESTIMATED), (found.head(1), ALL_PRODUCTS)):
        if len(row) and pd.notna(row["lgd"].iloc[0]):
            numbers = {name: max(float(row[name].iloc[0]), losses.floor) for name in ("lgd", "low", "high")}
            return {**numbers, "defaults": int(row["defaults"].iloc[0]), "source": source}
    return {"lgd": losses.fallback, "defaults": 0, "source": FALLBACK}


def _words(table: pd.DataFrame, losses: Losses, found: pd.DataFrame) -> str:
    """Say where each number comes from."""
    sentences = []
    estimated = table["source"].isin([ESTIMATED, ALL_PRODUCTS])
    if estimated.any():
        every = found.iloc[0]
        sentences.append(
            say(
                "Of the exposure of {defaults:,} past defaults {lgd:.1%} was lost within {months} months (95 % interval "
                "{low:.1%} to {high:.1%}), discounted at {rate:.1%} a year and without the costs of collection.",
                defaults=int(every["defaults"]),
                lgd=every["lgd"],
                low=every["low"],
                high=every["high"],
                months=losses.workout_months,
                rate=losses.discount_rate,
            )
        )
    if (estimated & (table["lgd"] == losses.floor)).any():
        sentences.append(say("No estimate counts as less than {floor:.1%}.", floor=losses.floor))
    if (table["source"] == ESTIMATED).any():
        sentences.append(say("By product: {products}.", products=_each(table[table["source"] == ESTIMATED])))
    if (table["source"] == ALL_PRODUCTS).any():
        names = listed([_name(product) for product in table.loc[table["source"] == ALL_PRODUCTS, "product"]])
        sentences.append(
            say(
                "The rate of all products is taken for those with fewer than {least} defaults: {products}.",
                least=losses.least_defaults,
                products=names,
            )
        )
    if (table["source"] == FALLBACK).any():
        sentences.append(
            say(
                "{reason} A loss given default of {lgd:.0%} is assumed (params/losses.yaml).",
                reason=found["reason"].iloc[0],
                lgd=losses.fallback,
            )
        )
    if (table["source"] == SET).any():
        products = _each(table[table["source"] == SET])
        sentences.append(say("Loss given default as set in params/losses.yaml: {products}.", products=products))
    return (" " if language() == "en" else "").join(sentences)


def _each(table: pd.DataFrame) -> str:
    pairs = zip(table["product"], table["lgd"], strict=True)
    return listed([say("{product} {lgd:.1%}", product=_name(product), lgd=lgd) for product, lgd in pairs])


def _name(product: object) -> object:
    return say("no product") if pd.isna(product) else product  # type: ignore[call-overload]


def expected_loss(book: Book, *, as_of: date, scores: pd.DataFrame, lgd: pd.DataFrame) -> pd.DataFrame:
    """Return PD x LGD x exposure by customer at `as_of`.

    The exposure at default is taken to be the balance now: no credit conversion factor adds what may yet be drawn of a limit,
    so the loss on cards is understated. Who is already in default has the LGD of those who default now.

    Parameters
    ----------
    scores
        customer_id, pd (1 for who is in default).
    lgd
        product, lgd, as `lgd_of` gives them; a customer with a loan of another product has no expected loss.

    Returns
    -------
    DataFrame
        The customers of `scores` with open loans: customer_id, exposure, lgd (the mean over the loans, by balance), pd,
        expected_loss; null where no balance is stated; by customer_id.
    """
    table = _held(book, as_of=as_of, day=as_of, lgd=lgd).merge(scores[["customer_id", "pd"]], on="customer_id")
    table = table.sort_values("customer_id", ignore_index=True)
    table["expected_loss"] = table["pd"] * table["at_loss"]
    return table[["customer_id", "exposure", "lgd", "pd", "expected_loss"]]


def customer_lgd(book: Book, *, as_of: date, day: date, lgd: pd.DataFrame) -> pd.Series:
    """Return the loss given default by customer at `day`, as known at `as_of`: the mean over the loans, by balance."""
    lost: pd.Series = _held(book, as_of=as_of, day=day, lgd=lgd).set_index("customer_id")["lgd"]
    return lost


def _held(book: Book, *, as_of: date, day: date, lgd: pd.DataFrame) -> pd.DataFrame:
    """Return customer_id, exposure, at_loss (what of it would be lost) and lgd, of the open loans at `day`."""
    loans = performance(book, as_of=as_of, days=[day]).filter(_.open).mutate(balance=_.balance.cast("float64"))
    rates = list(zip(lgd["product"], lgd["lgd"].astype(float), strict=True))
    share = ibis.cases(
        *[(loans["product"].isnull() if pd.isna(name) else loans["product"] == name, rate) for name, rate in rates],
        else_=ibis.null("float64"),
    )
    loans = loans.select("customer_id", "balance", at_loss=loans.balance * share)
    unknown = (~loans.balance.isnull() & loans.at_loss.isnull()).any()
    held = loans.group_by("customer_id").aggregate(
        exposure=loans.balance.sum(), at_loss=ibis.ifelse(unknown, ibis.null("float64"), loans.at_loss.sum())
    )
    table: pd.DataFrame = held.to_pandas()
    return table.assign(lgd=table["at_loss"] / table["exposure"].where(table["exposure"] > 0))
