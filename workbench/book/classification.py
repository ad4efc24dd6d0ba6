"""The open loans as supervisors and accountants class them: five categories, IFRS 9 stages; `params/classification.yaml`."""

from __future__ import annotations

from datetime import date

import ibis
import pandas as pd
from ibis import _
from pydantic import BaseModel, ConfigDict, Field, model_validator

from workbench.book.book import Book
from workbench.book.performance import performance
from workbench.core.languages import mark
from workbench.core.yaml_files import load_params


class FiveCategory(BaseModel):
    """Days past due above which a loan is at least in a category."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    special_mention: int = Field(ge=0)
    substandard: int
    doubtful: int
    loss: int

    @model_validator(mode="after")
    def _ascend(self) -> FiveCategory:
        if not self.special_mention < self.substandard < self.doubtful < self.loss:
            raise ValueError("special_mention, substandard, doubtful and loss must ascend")
        return self


class Stages(BaseModel):
    """Days past due from which a loan is in stage 2 and 3 of IFRS 9."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    stage_2_above_dpd: int = Field(ge=0)
    stage_3_from_dpd: int

    @model_validator(mode="after")
    def _ascend(self) -> Stages:
        if not self.stage_2_above_dpd < self.stage_3_from_dpd:
            raise ValueError("stage_2_above_dpd must be below stage_3_from_dpd")
        return self


class Classification(BaseModel):
    """Both views."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    five_category: FiveCategory
    ifrs9: Stages


def classified(book: Book, *, as_of: date) -> pd.DataFrame:
    """Return view ('five-category' or 'IFRS 9'), category, loans and exposure of the open loans at `as_of`.

    By days past due alone: no loan is moved for what else is known of it (a restructuring, a rise in PD). Every category has a
    row, the best first; written-off loans are in none.
    """
    limits = load_params(Classification, book.workspace.params / "classification.yaml")
    five, stages = limits.five_category, limits.ifrs9
    views = {
        mark("five-category"): [
            (mark("normal"), five.special_mention),
            (mark("special mention"), five.substandard),
            (mark("substandard"), five.doubtful),
            (mark("doubtful"), five.loss),
            (mark("loss"), None),
        ],
        "IFRS 9": [
            (mark("stage 1"), stages.stage_2_above_dpd),
            (mark("stage 2"), stages.stage_3_from_dpd - 1),
            (mark("stage 3"), None),
        ],
    }
    loans = performance(book, as_of=as_of).filter(_.open)
    tables = []
    for view, steps in views.items():
        upto = [(loans.dpd <= high, name) for name, high in steps if high is not None]
        named = loans.mutate(category=ibis.cases(*upto, else_=steps[-1][0]))
        sums = (
            named.group_by("category").aggregate(loans=_.count(), exposure=_.balance.sum().cast("float64")).to_pandas()
        )
        whole = (
            sums.set_index("category").reindex([name for name, _high in steps]).fillna({"loans": 0, "exposure": 0.0})
        )
        tables.append(whole.astype({"loans": "int64"}).reset_index().assign(view=view))
    found: pd.DataFrame = pd.concat(tables, ignore_index=True)[["view", "category", "loans", "exposure"]]
    return found
