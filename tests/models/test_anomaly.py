import numpy as np
import pandas as pd
import pytest

from workbench.core.errors import ModelError, SampleError
from workbench.models.anomaly import AnomalyModel, fit_anomaly
from workbench.models.evaluation import gini

FEATURES = [f"f{i}" for i in range(8)]


def month(rows: int, seed: int) -> pd.DataFrame:
    """Eight features: f1 follows f0, f2 is mostly nought, f3 has gaps, the rest are independent."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(rows, 8))
    z[:, 1] = z[:, 0] + 0.1 * z[:, 1]
    frame = pd.DataFrame(np.exp(z + 3), columns=FEATURES, index=[f"C{i}" for i in range(rows)])
    frame["f2"] = np.where(rng.random(rows) < 0.9, 0, rng.integers(1, 90, rows))
    frame.loc[rng.random(rows) < 0.2, "f3"] = np.nan
    return frame


@pytest.fixture(scope="module")
def model() -> AnomalyModel:
    return fit_anomaly(month(3000, 1), FEATURES, seed=1)


def test_scores_are_ranks_in_the_reference_month(model):
    scored = model.score(month(3000, 1))["anomaly_score"]
    assert scored.between(0, 1).all()
    assert np.quantile(scored, [0.1, 0.5, 0.9, 0.99]) == pytest.approx([0.1, 0.5, 0.9, 0.99], abs=0.01)
    assert model.score(month(3000, 2))["anomaly_score"].mean() == pytest.approx(0.5, abs=0.03)


def test_a_row_alone_is_the_row_in_a_batch(model):
    frame = month(500, 3)
    scored = model.score(frame)
    for i in range(0, 500, 37):
        pd.testing.assert_frame_equal(model.score(frame.iloc[[i]]), scored.iloc[[i]], check_exact=True)
    pd.testing.assert_frame_equal(model.score(frame.iloc[::-1, ::-1]).iloc[::-1], scored, check_exact=True)


def test_a_broken_relation_is_found_though_each_value_is_ordinary(model):
    frame = month(1000, 4)
    frame.iloc[:100, 1] = np.exp(6 - np.log(frame.iloc[:100, 0]))  # mirrored about the mean: f1 falls as f0 rises
    assert gini(np.arange(1000) < 100, -model.score(frame)["anomaly_raw"]) > 0.4
    extreme = model.score(frame.iloc[:100][(np.log(frame["f0"].iloc[:100]) - 3).abs() > 1.2])
    assert (extreme["anomaly_score"] > 0.99).all()
    assert {"f0", "f1"} <= set(extreme["top_features"].sum())


def test_one_extreme_value_is_named_with_its_sign(model):
    frame = month(5, 5)
    frame.iloc[0, 6], frame.iloc[1, 6] = 1e9, 0.0
    scored = model.score(frame)
    assert scored["top_features"].iloc[0][0] == scored["top_features"].iloc[1][0] == "f6"
    assert scored["top_z"].iloc[0][0] > 0 > scored["top_z"].iloc[1][0]
    assert scored["anomaly_score"].iloc[0] == 1
    assert all(len(names) <= 3 for names in scored["top_features"])


def test_an_ordinary_customer_has_no_features_to_name(model):
    ordinary = pd.DataFrame([dict.fromkeys(FEATURES, np.nan)])
    scored = model.score(ordinary).iloc[0]
    assert scored["top_features"] == []
    assert scored["anomaly_score"] < 0.01


def test_saved_and_loaded_scores_the_same_bits(model):
    again = AnomalyModel.from_json(model.to_json())
    assert again == model
    pd.testing.assert_frame_equal(again.score(month(50, 6)), model.score(month(50, 6)), check_exact=True)


def test_constant_and_empty_features_are_left_out_by_name():
    frame = month(300, 7).assign(same=1.0, empty=np.nan)
    model = fit_anomaly(frame, ["same", "empty", *FEATURES], seed=1)
    assert model.left_out == {"same": "constant in the reference", "empty": "all missing in the reference"}
    assert model.features == tuple(FEATURES)


def test_infinities_and_one_feature_score():
    model = fit_anomaly(month(300, 8), ["f4"], seed=1)
    scored = model.score(pd.DataFrame({"f4": [np.inf, -np.inf, 20.0]}))
    assert np.isfinite(scored["anomaly_raw"]).all()
    assert scored["anomaly_score"].tolist()[:2] == [1, 1]


def test_the_seed_draws_the_reference_rows():
    draws = [fit_anomaly(month(500, 9), FEATURES, seed=seed, max_rows=200) for seed in (1, 1, 2)]
    assert draws[0] == draws[1] != draws[2]
    assert draws[0].provenance["reference_rows"] == 200


def test_bad_input(model):
    with pytest.raises(SampleError, match="10 reference rows; at least 50"):
        fit_anomaly(month(10, 1), FEATURES, seed=1)
    with pytest.raises(ModelError, match="none of the 1 features varies"):
        fit_anomaly(month(60, 1).assign(same=1), ["same"], seed=1)
    with pytest.raises(ModelError, match="named twice"):
        fit_anomaly(month(60, 1), ["f0", "f0"], seed=1)
    with pytest.raises(ModelError, match=r"no column 'f0'; one is needed\. Did you mean"):
        model.score(month(5, 1).rename(columns={"f0": "f0_new"}))
    with pytest.raises(ModelError, match="f4: 5 of 5 values are not numbers"):
        model.score(month(5, 1).assign(f4="much"))
    with pytest.raises(ModelError, match="schema version 2"):
        AnomalyModel.from_json(model.to_json().replace('"schema_version": 1', '"schema_version": 2'))
    with pytest.raises(ModelError, match="no anomaly model"):
        AnomalyModel.from_json('{"kind": "scorecard"}')
