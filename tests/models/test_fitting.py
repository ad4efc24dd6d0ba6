import dataclasses

import numpy as np
import pandas as pd
import pytest

from workbench.core.errors import ModelError, ParameterError, SampleError
from workbench.models.calibration import calibrate, central_tendency
from workbench.models.evaluation import gini
from workbench.models.fitting import Candidate, FitOptions, fit_scorecard

BANDS = (("A", 0.1), ("B", 1.0))


@pytest.fixture
def refit(sample, candidates, fit_options):
    """Fit again with something changed."""

    def fit(*, frame=None, bad=None, options=None, **changed):
        return fit_scorecard(
            sample[0] if frame is None else frame,
            sample[1] if bad is None else bad,
            candidates=candidates | changed,
            options=dataclasses.replace(fit_options, **(options or {})),
            name="pd",
            provenance={},
            target={},
        )

    return fit


def test_every_candidate_has_a_fate(fitted, candidates):
    fates = fitted.fates.set_index("variable")
    assert list(fates.index) == list(candidates)
    assert {"dpd", "income"} < set(fitted.scorecard.inputs)
    assert set(fates["fate"]) == {"in", "dropped", "excluded"}
    assert fates.loc["gender", "detail"].startswith("protected")
    assert fates.loc["region", "detail"].startswith("proxy")
    assert fates.loc["complaints", "detail"].startswith("care")
    loser = "twin" if "use" in fitted.scorecard.inputs else "use"
    assert fates.loc[loser, "detail"].startswith("correlated .9")
    assert "IV 0.0" in fates.loc["noise", "detail"] or "no cut" in fates.loc["noise", "detail"]


def test_coefficients_are_negative_significant_and_say_who_contributes(fitted):
    slopes = fitted.coefficients.iloc[1:]
    assert fitted.coefficients["variable"][0] == "(intercept)"
    assert (slopes["coefficient"] < 0).all()
    assert (slopes["p_value"] <= 0.05).all()
    assert slopes["contribution"].sum() == pytest.approx(1)


def test_the_model_ranks_and_is_calibrated_where_it_was_fitted(fitted, sample):
    scored = fitted.scorecard.score(sample[0], reasons=False)
    assert gini(sample[1], scored["score"]) > 0.4
    assert scored["pd"].mean() == pytest.approx(sample[1].mean(), rel=1e-6)


def test_row_and_column_order_do_not_matter(refit, fitted, sample):
    order = np.random.default_rng(1).permutation(len(sample[1]))
    again = refit(frame=sample[0].iloc[order, ::-1], bad=sample[1][order])
    assert again.fates.equals(fitted.fates)
    for one, other in zip(again.scorecard.variables, fitted.scorecard.variables, strict=True):
        assert one.bins == other.bins
        assert one.points == pytest.approx(other.points, rel=1e-9)


def test_a_proxy_enters_only_when_allowed_and_flagged(refit, sample):
    frame = sample[0].assign(region=np.where(sample[1] * (np.arange(4000) % 3 > 0) == 1, "n", sample[0]["region"]))
    assert "region" not in refit(frame=frame).scorecard.inputs
    allowed = refit(frame=frame, options={"allow_proxy": True})
    assert "region" in allowed.scorecard.inputs
    assert "proxy allowed" in allowed.fates.set_index("variable").loc["region", "detail"]


def test_a_leak_is_refused_unless_allowed(refit, sample):
    frame = sample[0].assign(arrears=sample[1] * 90.0)
    with pytest.raises(ModelError, match=r"arrears \(Gini 1\.000\)"):
        refit(frame=frame, arrears=Candidate("higher"))
    found = refit(frame=frame, arrears=Candidate("higher"), options={"allow_leak": True})
    assert "leak allowed" in found.fates.set_index("variable").loc["arrears", "detail"]
    assert "arrears" in found.scorecard.inputs


@pytest.mark.parametrize(
    ("leak", "candidate"),
    [
        (lambda bad: bad * 90.0, Candidate("higher")),
        (lambda bad: np.where(bad, 1.0, np.nan), Candidate()),
        (lambda bad: np.where(bad, "default", "ok"), Candidate(categorical=True)),
        (lambda bad: np.where(bad, "2026-05", None), Candidate(categorical=True)),
    ],
)
def test_a_leak_in_a_group_smaller_than_any_bin_is_found(refit, sample, leak, candidate):
    rare = np.arange(4000) % 100 == 0  # 40 bads, 1 %: under the least bin share
    with pytest.raises(ModelError, match=r"given \(Gini"):
        refit(frame=sample[0].assign(given=leak(rare)), bad=rare, given=candidate)


def test_a_wrong_sign_beside_the_others_is_dropped(fit_options):
    # Risky alone only because it follows dpd; given dpd it is protective.
    rng = np.random.default_rng(0)
    stress, other = rng.normal(size=6000), rng.normal(size=6000)
    bad = (rng.random(6000) < 1 / (1 + np.exp(2 - 2 * stress + 0.9 * other))).astype(int)
    frame = pd.DataFrame({"a": stress, "b": stress + other * 0.9})
    found = fit_scorecard(
        frame,
        bad,
        candidates={name: Candidate("higher") for name in frame},
        options=dataclasses.replace(fit_options, max_correlation=0.99),
        name="pd",
        provenance={},
        target={},
    )
    assert found.fates.set_index("variable").loc["b", "detail"].startswith("wrong sign: coefficient +")


def test_at_most_so_many_variables_and_the_strongest_stay(refit, fitted):
    found = refit(options={"max_variables": 2})
    assert len(found.scorecard.variables) == 2
    assert "weakest beyond 2 variables" in " ".join(found.fates["detail"])


def test_constants_dates_and_text_are_named_outcomes(refit, sample):
    frame = sample[0].assign(one=1.0, day=pd.Timestamp("2026-01-31"), note="abc", empty=np.nan)
    odd = {name: Candidate() for name in ("one", "day", "note", "empty")}
    details = refit(frame=frame, **odd).fates.set_index("variable")["detail"]
    assert details["one"].startswith("constant")
    assert details["day"].startswith("dates")
    assert "not numbers, such as 'abc'" in details["note"]
    assert details["empty"].startswith("all 4000 values are missing")


def test_what_became_of_a_candidate_is_told_in_the_language_in_use(refit, sample, signs):
    odd = {"one": Candidate(), "day": Candidate(), "sex": Candidate(role="protected")}
    frame = sample[0].assign(one=1.0, day=pd.Timestamp("2026-01-31"), sex="f")
    found = refit(frame=frame, **odd)
    fates = found.fates.set_index("variable")
    assert set(fates["fate"]) == {"in", "dropped", "excluded"}  # kept in English, as every code
    assert fates.loc["one", "detail"] == "字字字字字字字字, 1 字字 字字字 4000 字字字字."
    assert fates.loc["day", "detail"].startswith("字字字字字 字字字字字 字字字字字字字 字字字字字字 (datetime64")
    assert fates.loc["sex", "detail"] == "字字字字字字字字字: 字字字字 字字字 字字字字字字字字 字字字字字字 字字字字"
    assert found.scorecard.points_table()["label"][0] == "every customer"
    assert found.scorecard.points_table(said=True)["label"][0] == "字字字字字 字字字字字字字字"


def test_too_few_bads_one_class_and_a_small_sample_say_numbers(refit, sample):
    with pytest.raises(SampleError, match="0 bads and 4000 goods"):
        refit(bad=np.zeros(4000))
    with pytest.raises(SampleError, match="10 bads and 3990 goods; at least 30"):
        refit(bad=np.arange(4000) < 10)
    with pytest.raises(SampleError, match="4000 rows but 7 outcomes"):
        refit(bad=[0, 1, 0, 0, 1, 1, 0])


def test_bad_candidates(refit):
    with pytest.raises(ModelError, match=r"candidate incom: .* Did you mean 'income'"):
        refit(incom=Candidate())
    with pytest.raises(ParameterError, match=r"unknown role 'protect'.*'protected'"):
        refit(dpd=Candidate(role="protect"))
    with pytest.raises(ParameterError, match=r"reason of dpd \(en\)"):
        refit(dpd=Candidate("higher", reason={"en": "{days} days"}))


def test_nothing_survives(refit):
    with pytest.raises(ModelError, match=r"no candidate survived .*noise: IV"):
        refit(options={"min_iv": 9.0})


def test_calibration_recovers_the_line_it_was_drawn_from():
    rng = np.random.default_rng(6)
    score = rng.normal(600, 40, 200_000)
    bad = rng.random(200_000) < 1 / (1 + np.exp(-(12 - 0.025 * score)))
    a, b = calibrate(score, bad)
    assert (a, b) == pytest.approx((12, -0.025), rel=0.03)
    # Maximum likelihood with an intercept: predicted and realised bads agree.
    assert np.sum(1 / (1 + np.exp(-(a + b * score)))) == pytest.approx(bad.sum(), rel=1e-6)


def test_calibration_refuses_what_it_cannot_do():
    with pytest.raises(ModelError, match="PD rises with the score"):
        calibrate([1, 2, 3, 4, 5, 6], [0, 0, 1, 0, 1, 1])
    with pytest.raises(SampleError, match="nothing to calibrate"):
        calibrate([5, 5, 5], [0, 1, 0])
    with pytest.raises(SampleError, match="none missing"):
        calibrate([5, np.nan, 5], [0, 1, 0])


def test_special_codes_the_table_shown_is_what_is_scored_and_reasons_tell_the_meaning(fit_options):
    rng = np.random.default_rng(11)
    status = rng.choice([-2.0, 0.0, 1.0, 2.0, 3.0], 3000)
    bad = (rng.random(3000) < pd.Series(status).map({-2: 0.3, 0: 0.05, 1: 0.1, 2: 0.3, 3: 0.5})).astype(int)
    frame = pd.DataFrame({"status": status})
    card = fit_scorecard(
        frame,
        bad,
        candidates={
            "status": Candidate(
                "higher", reason={"en": "Months late: {value:.0f}"}, specials={-2: "card not used", 0: "revolving"}
            )
        },
        options=fit_options,
        name="x",
        provenance={},
        target={},
    ).scorecard
    table = card.points_table().set_index("label")["points"]
    scored = card.score(frame)
    for code, label in ((-2, "-2: card not used"), (0, "0: revolving")):
        of_code = scored["score"][frame["status"] == code]
        assert of_code.to_numpy() == pytest.approx(table["every customer"] + table[label])
    assert scored["reasons"][status == -2].iloc[0] == ["Months late: card not used"]
    assert type(card).from_json(card.to_json()).score(frame).equals(scored)


def test_weights_fit_the_population_and_not_the_sample(fit_options):
    """Goods were sampled one in ten: with their weights the fit is that of the whole population."""
    rng = np.random.default_rng(12)
    x, other = rng.normal(size=60000), rng.normal(size=60000)
    bad = (rng.random(60000) < 1 / (1 + np.exp(4 - 0.9 * x - 0.4 * other))).astype(int)
    everyone = pd.DataFrame({"x": x, "other": other})
    kept = (bad == 1) | (rng.random(60000) < 0.1)
    weight = np.where(bad == 1, 1.0, 10.0)[kept]
    options = {
        "candidates": {"x": Candidate("higher"), "other": Candidate("higher")},
        "options": fit_options,
        "name": "x",
        "provenance": {},
        "target": {},
    }
    whole = fit_scorecard(everyone, bad, **options)
    sampled = everyone[kept].reset_index(drop=True)
    weighted = fit_scorecard(sampled, bad[kept], weights=weight, **options)
    plain = fit_scorecard(sampled, bad[kept], **options)
    rate = {name: found.scorecard.score(everyone, reasons=False)["pd"].mean() for name, found in
            (("whole", whole), ("weighted", weighted), ("plain", plain))}  # fmt: skip
    assert rate["weighted"] == pytest.approx(bad.mean(), rel=0.05)
    assert rate["whole"] == pytest.approx(bad.mean(), rel=1e-3)
    assert rate["plain"] > 3 * bad.mean()
    errors = [found.coefficients.set_index("variable")["std_error"]["x"] for found in (whole, weighted)]
    assert errors[1] > errors[0]  # nine goods in ten are gone, and the weights do not bring them back
    table = weighted.scorecard.points_table()
    assert table["goods"].dtype == "Float64"
    of_x = table[table["variable"] == "x"]
    assert float(of_x["count"].sum()) == pytest.approx(kept.sum())
    scaled = fit_scorecard(sampled, bad[kept], weights=weight * 3, **options)
    assert scaled.scorecard.points_table()["points"].tolist() == pytest.approx(table["points"].tolist(), rel=1e-9)
    a, b = calibrate(weighted.scorecard.score(sampled, reasons=False)["score"], bad[kept], weights=weight)
    calibrated = weighted.scorecard.calibrated(a, b).score(sampled, reasons=False)["pd"]
    assert np.average(calibrated, weights=weight) == pytest.approx(np.average(bad[kept], weights=weight), rel=1e-6)


def test_calibration_to_a_rate_moves_the_level_and_keeps_the_slope():
    rng = np.random.default_rng(2)
    score = rng.normal(500, 40, 5000)
    bad = rng.random(5000) < 1 / (1 + np.exp(12 - 0.02 * score))
    bad = ~bad
    a, b = calibrate(score, bad.astype(int))
    for rate in (0.01, 0.2):
        moved, slope = calibrate(score, bad.astype(int), target_rate=rate)
        assert slope == b
        assert np.mean(1 / (1 + np.exp(-(moved + slope * score)))) == pytest.approx(rate, rel=1e-9)
    assert np.mean(1 / (1 + np.exp(-(a + b * score)))) == pytest.approx(bad.mean(), rel=1e-6)
    with pytest.raises(ParameterError, match="above 0 and below 1"):
        calibrate(score, bad.astype(int), target_rate=3.0)
    with pytest.raises(ParameterError, match="long_run"):
        central_tendency(pd.DataFrame({"bad": [1]}), "longrun")


@pytest.mark.parametrize("kind", ["special codes", "a code", "zero"])
def test_a_leak_is_found_whatever_its_order(sample: tuple[pd.DataFrame, np.ndarray], kind: str) -> None:
    frame, bad = sample
    rng = np.random.default_rng(0)
    noise = np.round(rng.normal(5, 1, len(bad)), 2)
    leak = {
        "special codes": np.where(bad == 1, -9.0, np.where(rng.random(len(bad)) < 0.5, -8.0, noise)),
        "a code": np.where(bad == 1, 3.0, rng.choice([1.0, 5.0], len(bad))),
        "zero": np.where(bad == 1, 0.0, np.where(rng.random(len(bad)) < 0.5, noise, -noise)),
    }[kind]
    offered = {"leak": Candidate(specials={-9: "written off", -8: "repaid"} if kind == "special codes" else {})}
    with pytest.raises(ModelError, match=r"leak \(Gini"):
        fit_scorecard(frame.assign(leak=leak), bad, candidates=offered, options=FitOptions(grades=BANDS),
                      name="x", provenance={}, target={})  # fmt: skip


@pytest.mark.parametrize(
    "wrong",
    [{"ridge": -1}, {"max_p_value": 2}, {"max_p_value": float("nan")}, {"max_variables": 0}, {"max_bins": 1},
     {"min_bin_share": 0.6}, {"min_bin_bads": -1}],
)  # fmt: skip
def test_options_out_of_range_are_told(wrong: dict[str, float]) -> None:
    with pytest.raises(ParameterError, match=next(iter(wrong))):
        FitOptions(grades=BANDS, **wrong)
