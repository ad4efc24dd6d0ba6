import numpy as np
import pytest

from workbench.models.regression import logistic


def test_two_by_two_table_in_closed_form():
    # Odds 30/70 without and 60/40 with the factor: the slope is the log odds ratio.
    factor = np.repeat([0.0, 0.0, 1.0, 1.0], [30, 70, 60, 40])
    bad = np.repeat([True, False, True, False], [30, 70, 60, 40])
    fit = logistic(factor[:, None], bad)
    assert fit.coefficients == pytest.approx([np.log(30 / 70), np.log(60 / 40) - np.log(30 / 70)])
    assert fit.std_errors[1] == pytest.approx(np.sqrt(1 / 30 + 1 / 70 + 1 / 60 + 1 / 40))
    assert not fit.fell_back


@pytest.mark.parametrize("ridge", [0.0, 5.0])
def test_plain_and_penalised_against_statsmodels_and_scikit_learn(ridge: float) -> None:
    import statsmodels.api as sm
    from sklearn.linear_model import LogisticRegression

    rng = np.random.default_rng(4)
    X = rng.normal(size=(500, 3))
    bad = rng.random(500) < 1 / (1 + np.exp(2 - X @ [0.8, -0.5, 0.0]))
    found = logistic(X, bad, ridge=ridge)
    theirs = LogisticRegression(C=1 / ridge if ridge else np.inf, tol=1e-12, solver="newton-cholesky").fit(X, bad)
    assert found.coefficients == pytest.approx([*theirs.intercept_, *theirs.coef_[0]], abs=1e-6)
    if not ridge:
        reference = sm.Logit(bad.astype(float), sm.add_constant(X)).fit(disp=0, tol=1e-12)
        assert found.std_errors == pytest.approx(reference.bse, rel=1e-6)
        assert found.p_values == pytest.approx(reference.pvalues, rel=1e-4)
    assert not found.fell_back


def test_steps_that_would_overshoot_still_reach_the_maximum() -> None:
    # Rare bads and many columns that say nearly the same: whole steps went round in circles.
    rng = np.random.default_rng(0)
    X = rng.normal(size=(2500, 1)) + 0.7 * rng.normal(size=(2500, 30))
    bad = rng.random(2500) < 1 / (1 + np.exp(6 - 2 * X[:, 0] - X[:, 1]))
    for weights in (None, rng.uniform(0.5, 2, 2500)):
        found = logistic(X, bad, weights, ridge=1.0)
        weight = np.ones(2500) if weights is None else weights
        chance = 1 / (1 + np.exp(-(found.coefficients[0] + X @ found.coefficients[1:])))
        assert X.T @ (weight * (bad - chance)) == pytest.approx(found.coefficients[1:], abs=1e-6)
        assert weight @ (bad - chance) == pytest.approx(0, abs=1e-6)


def test_separation_and_collinearity_fall_back_to_a_finite_fit():
    rng = np.random.default_rng(0)
    x = rng.normal(size=200)
    for X in (x[:, None], np.column_stack([x + rng.normal(size=200)] * 2)):
        fit = logistic(X, x > 0)
        assert fit.fell_back
        assert np.isfinite(np.concatenate(fit[:3])).all()
        assert fit.coefficients[1] > 0


def test_sampling_weights_against_repeated_rows_with_clustered_errors():
    import statsmodels.api as sm

    rng = np.random.default_rng(3)
    X = rng.normal(size=(600, 2))
    bad = rng.random(600) < 1 / (1 + np.exp(1.5 - X @ [0.8, -0.5]))
    times = rng.integers(1, 6, 600)
    found = logistic(X, bad, times.astype(float))
    rows = np.repeat(np.arange(600), times)
    options = {"groups": rows, "use_correction": False, "df_correction": False}
    reference = sm.Logit(bad[rows].astype(float), sm.add_constant(X[rows])).fit(
        disp=0, cov_type="cluster", cov_kwds=options
    )
    assert found.coefficients == pytest.approx(reference.params, abs=1e-8)
    # A row of weight 5 is one customer, so the sandwich by customer is the right error, and the plain one too small.
    assert found.std_errors == pytest.approx(reference.bse, rel=1e-6)
    assert not found.fell_back
    plain = logistic(X, bad)
    equal = logistic(X, bad, np.full(600, 2.0) / 2)
    assert equal.coefficients == pytest.approx(plain.coefficients, abs=1e-8)
    assert equal.std_errors == pytest.approx(plain.std_errors, rel=1e-6)


def test_separated_classes_with_weights_stay_finite():
    X = np.linspace(-1, 1, 100)[:, None]
    found = logistic(X, X[:, 0] > 0, np.linspace(1, 2, 100))
    assert found.fell_back
    assert np.isfinite(found.std_errors).all()


def test_several_rows_of_a_customer_against_statsmodels_by_cluster() -> None:
    import statsmodels.api as sm

    rng = np.random.default_rng(8)
    who = rng.integers(0, 150, 900)
    X = rng.normal(size=(150, 2))[who] + 0.3 * rng.normal(size=(900, 2))
    bad = rng.random(150)[who] < 1 / (1 + np.exp(1.5 - X @ [0.8, -0.5]))
    found = logistic(X, bad, groups=who)
    options = {"groups": who, "use_correction": False, "df_correction": False}
    reference = sm.Logit(bad.astype(float), sm.add_constant(X)).fit(disp=0, cov_type="cluster", cov_kwds=options)
    assert found.std_errors == pytest.approx(reference.bse, rel=1e-6)
    assert (found.std_errors[1:] > 1.5 * logistic(X, bad).std_errors[1:]).all()


def test_noise_seen_at_six_dates_is_rejected_as_often_as_at_one() -> None:
    rng = np.random.default_rng(5)
    rejected = {"by row": 0, "by customer": 0}
    for _ in range(150):
        who = np.tile(np.arange(300), 6)
        noise, bad = np.tile(rng.normal(size=300), 6), np.tile(rng.random(300) < 0.2, 6)
        rejected["by row"] += logistic(noise[:, None], bad).p_values[1] < 0.05
        rejected["by customer"] += logistic(noise[:, None], bad, groups=who).p_values[1] < 0.05
    assert rejected["by row"] > 40
    assert rejected["by customer"] <= 16  # 5 % of 150, and three standard errors
