import pandas as pd
import pytest

from workbench.core.errors import ParameterError
from workbench.core.languages import in_language
from workbench.models.reasons import check_templates, reason_texts, spoken_language

LABEL = {"en": "Worst days past due", "zh": "最长逾期天数"}
DAYS = {"en": "Worst days past due in 6 months: {value:.0f} days", "zh": "近6个月最长逾期：{value:.0f}天"}


def test_a_value_is_told_in_each_language():
    assert reason_texts(pd.Series([45.0]), DAYS, LABEL, "en") == ["Worst days past due in 6 months: 45 days"]
    assert reason_texts(pd.Series([45.0]), DAYS, LABEL, "zh") == ["近6个月最长逾期：45天"]


def test_a_missing_value_is_not_known():
    assert reason_texts(pd.Series([None], dtype=float), DAYS, LABEL, "en") == [
        "Worst days past due in 6 months: not known"
    ]
    assert reason_texts(pd.Series([None], dtype=float), DAYS, LABEL, "zh") == ["近6个月最长逾期：未知"]
    assert reason_texts(pd.Series([None]), {"en": "{value:.0%} of the limit"}, LABEL, "en") == [
        "Worst days past due: not known"
    ]


def test_reasons_are_in_english_where_one_has_no_other_language():
    with in_language("zh"):
        assert spoken_language([DAYS, {}]) == "zh"
        assert spoken_language([DAYS, {"en": "New customer"}]) == "en"
    assert spoken_language([DAYS]) == "en"


def test_categories_and_braces_in_data_are_only_said():
    assert reason_texts(pd.Series(["{value}"]), {"en": "Job: {value}"}, LABEL, "en", categorical=True) == [
        "Job: {value}"
    ]
    assert reason_texts(pd.Series([1, 2]), {"en": "New customer"}, LABEL, "en") == ["New customer"] * 2


@pytest.mark.parametrize("template", ["{dpd} days", "{value:.0q}", "{} days", "{value", "{value.__class__.x}"])
def test_a_template_that_cannot_be_filled(template):
    with pytest.raises(ParameterError, match=r"reason of dpd \(en\)"):
        check_templates({"en": template}, name="dpd")
