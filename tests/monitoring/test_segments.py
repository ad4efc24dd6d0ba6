"""Groups with more high-risk customers: counts, tests and corrections against other libraries, and chance left alone."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest, fisher_exact
from statsmodels.stats.multitest import multipletests

from workbench.core.errors import ParameterError
from workbench.core.languages import in_language
from workbench.monitoring.segments import risky_segments


def people(seed: int, rows: int = 4000) -> pd.DataFrame:
    draw = np.random.default_rng(seed)
    return pd.DataFrame({
        "product": draw.choice(["auto", "card", "cash"], rows, p=[0.2, 0.5, 0.3]),
        "region": draw.choice(["north", "south", "east", None], rows),
        "job": draw.choice([f"job {i}" for i in range(12)], rows),
        "exposure": draw.gamma(2, 1000, rows),
    })  # fmt: skip


def test_a_planted_group_is_found_with_its_numbers() -> None:
    table = people(1)
    planted = (table["product"] == "auto") & (table["region"] == "south")
    risky = pd.Series(np.random.default_rng(2).random(len(table)) < np.where(planted, 0.3, 0.05))
    found = risky_segments(table, ["product", "region", "job"], risky)
    first = found.iloc[0]
    assert first["segment"] == "product auto and region south"
    assert (first["customers"], first["risky"]) == (planted.sum(), (planted & risky).sum())
    assert first["share"] == pytest.approx((planted & risky).sum() / planted.sum())
    assert first["others"] == pytest.approx((~planted & risky).sum() / (~planted).sum())
    assert first["exposure"] == pytest.approx(table.loc[planted, "exposure"].sum())
    exact = binomtest(int(first["risky"]), int(first["customers"])).proportion_ci(method="wilson")
    assert (first["low"], first["high"]) == pytest.approx((exact.low, exact.high), abs=1e-6)
    looked = {}
    for names in (
        ["product"],
        ["region"],
        ["job"],
        *map(list, itertools.combinations(["product", "region", "job"], 2)),
    ):
        for values, rows in table.dropna(subset=names).groupby(names):
            if len(rows) >= 30:
                inside = table.index.isin(rows.index)
                counts = [
                    [(inside & risky).sum(), (inside & ~risky).sum()],
                    [(~inside & risky).sum(), (~inside & ~risky).sum()],
                ]
                looked[" and ".join(f"{n} {v}" for n, v in zip(names, values, strict=True))] = fisher_exact(
                    counts, "greater"
                )[1]
    assert found.attrs["looks"] == len(looked)
    corrected = holm(looked)
    assert list(corrected.values()) == pytest.approx(
        list(multipletests([looked[name] for name in corrected], method="holm")[1])
    )
    for row in found.itertuples():
        assert row.p_holm == pytest.approx(corrected[row.segment], rel=1e-6)
        assert row.p_holm < 0.05


def test_a_group_is_named_in_the_language_in_use() -> None:
    table = people(1).rename(columns={"job": "job_code"})
    planted = (table["product"] == "auto") & (table["region"] == "south")
    with in_language("zh"):
        assert "产品 auto 且 地区 south" in risky_segments(table, ["product", "region"], planted)["segment"].tolist()
        found = risky_segments(table, ["job_code"], table["job_code"] == "job 1")
    assert found["segment"].tolist() == ["job_code job 1"]


def test_chance_alone_is_seldom_a_group() -> None:
    false = 0
    for seed in range(60):
        table = people(seed, 1500)
        risky = pd.Series(np.random.default_rng(1000 + seed).random(len(table)) < 0.08)
        false += not risky_segments(table, ["product", "region", "job"], risky).empty
    assert false <= 8  # of 60 at 5 %: above 8 has a chance of .003


def test_nothing_to_find_and_a_wrong_index() -> None:
    table = people(3, 200)
    for risky in (pd.Series(data=False, index=table.index), pd.Series(data=True, index=table.index)):
        assert risky_segments(table, ["product"], risky).empty
    assert risky_segments(table, [], pd.Series(data=True, index=table.index)).attrs["looks"] == 0
    assert risky_segments(table.head(0), ["product"], pd.Series(dtype=bool)).empty
    with pytest.raises(ParameterError, match="the index of customers"):
        risky_segments(table, ["product"], pd.Series([True]))


def holm(p: dict[str, float]) -> dict[str, float]:
    """Correct by the definition: the i-th smallest of m is multiplied by m - i + 1, and never falls below one before it."""
    corrected, highest = {}, 0.0
    for place, name in enumerate(sorted(p, key=lambda name: p[name])):
        highest = max(highest, min(p[name] * (len(p) - place), 1.0))
        corrected[name] = highest
    return corrected
