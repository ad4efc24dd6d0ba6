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
    assert not fit.penalised


def test_separation_and_collinearity_fall_back_to_a_finite_fit():
    rng = np.random.default_rng(0)
    x = rng.normal(size=200)
    for X in (x[:, None], np.column_stack([x + rng.normal(size=200)] * 2)):
        fit = logistic(X, x > 0)
        assert fit.penalised
        assert np.isfinite(np.concatenate(fit[:3])).all()
        assert fit.coefficients[1] > 0
