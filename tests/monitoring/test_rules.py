"""Warning rules and the alerts that they raise, on hand-made customers."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from string import Formatter

import pandas as pd
import pytest

from workbench.core.errors import ParameterError
from workbench.core.languages import in_language, say
from workbench.core.workspace import Workspace
from workbench.indicators.registry import select
from workbench.monitoring.alerts import ALERT_COLUMNS, count_by_severity, raise_alerts
from workbench.monitoring.rules import Rule, load_rules, usable_rules
from workbench.monitoring.watch import WATCHED

AS_OF = date(2025, 6, 30)
COLUMNS = ["customer_id", "dpd_now", "score_drop", "pd", "grade"]
WATCHED_FRAME = pd.DataFrame(
    [
        ("C4", 75.0, 80.0, 0.40, "G"),
        ("C1", 0.0, 40.0, 0.20, "F"),
        ("C2", 0.0, 40.0, 0.01, "B"),
        ("C3", None, None, None, None),
        ("C0", 61.0, None, 0.50, "G"),
        ("C5", 5.0, 10.0, 0.02, "C"),
    ],
    columns=COLUMNS,
)
RULES = [
    Rule(name="late", severity="yellow", when="dpd_now >= 1", reason="{dpd_now:.0f} days", horizon_months=6),
    Rule(
        name="fell",
        severity="orange",
        when="score_drop >= points and pd >= floor",
        thresholds={"points": 30, "floor": 0.05},
        reason="fell {score_drop:.0f} to grade {grade}",
        horizon_months=12,
    ),
    Rule(name="very_late", severity="red", when="dpd_now >= 60", reason="{dpd_now:.0f} days", horizon_months=3),
]


def alerts(rules: list[Rule] = RULES, frame: pd.DataFrame = WATCHED_FRAME) -> pd.DataFrame:
    return raise_alerts(frame, rules, book="demo", as_of=AS_OF)


def test_one_alert_a_customer_the_most_severe_first() -> None:
    table = alerts()
    assert table.columns.tolist() == ALERT_COLUMNS
    assert table[["customer_id", "severity"]].to_numpy().tolist() == [
        ["C0", "red"],
        ["C4", "red"],
        ["C1", "orange"],
        ["C5", "yellow"],
    ]
    worst = table.set_index("customer_id").loc["C4"]
    assert worst["rules"] == ["very_late", "fell", "late"]
    assert worst["reasons"] == ["75 days", "fell 80 to grade G", "75 days"]
    assert worst["horizon_months"] == 12
    assert (table["as_of"] == pd.Timestamp(AS_OF)).all()


def test_missing_values_fire_nothing() -> None:
    table = alerts()
    assert "C3" not in set(table["customer_id"])
    assert table.set_index("customer_id").loc["C0", "rules"] == ["very_late", "late"]


def test_ids_are_the_same_whatever_the_order_of_customers_and_rules() -> None:
    first, again = alerts(), alerts(RULES[::-1], WATCHED_FRAME.sample(frac=1, random_state=3))
    pd.testing.assert_frame_equal(first, again)
    assert first["alert_id"].tolist()[:2] == ["demo-20250630-C0", "demo-20250630-C4"]
    assert first["alert_id"].is_unique


def test_counts_name_every_severity() -> None:
    assert count_by_severity(alerts()) == {"red": 2, "orange": 1, "yellow": 1}
    assert list(count_by_severity(alerts())) == ["red", "orange", "yellow"]


def test_nobody_alerted_is_an_empty_list_with_its_columns() -> None:
    table = alerts(RULES[2:], WATCHED_FRAME.tail(1))
    assert table.columns.tolist() == ALERT_COLUMNS
    assert len(table) == 0
    assert count_by_severity(table) == {"red": 0, "orange": 0, "yellow": 0}


def test_a_reason_says_where_a_value_is_missing() -> None:
    rule = Rule(
        name="late", severity="red", when="dpd_now > 60", reason="{score_drop:.0f} to {grade}", horizon_months=3
    )
    texts = alerts([rule]).set_index("customer_id")["reasons"]
    assert texts["C4"] == ["80 to G"]
    assert texts["C0"] == ["not known to G"]


def test_a_reason_is_in_the_language_in_use_and_a_users_own_stays() -> None:
    own = Rule(
        name="own", severity="red", when="dpd_now > 60", reason="{dpd_now:.0f} d, {score_drop:.0f}", horizon_months=3
    )
    shipped = own.model_copy(update={"name": "shipped", "reason": "{dpd_now:.0f} days past due"})
    with in_language("zh"):
        texts = alerts([shipped, own]).set_index("customer_id")["reasons"]
    assert texts["C4"] == ["逾期75天", "75 d, 80"]
    assert texts["C0"] == ["逾期61天", "61 d, 未知"]
    assert alerts([shipped])["reasons"].tolist() == [["61 days past due"], ["75 days past due"]]


def test_a_reason_that_shows_a_text_as_a_number_is_told() -> None:
    rule = Rule(name="late", severity="red", when="dpd_now > 60", reason="grade {grade:.0f}", horizon_months=3)
    with pytest.raises(ParameterError, match=r"rule 'late': reason 'grade \{grade:\.0f\}' does not fit"):
        alerts([rule])


def test_rules_that_need_an_absent_column_are_left_out_and_named() -> None:
    needs_word = Rule(name="word", severity="red", when="dpd_now > 3", reason="{income:.0f} a month", horizon_months=3)
    both = Rule(name="both", severity="red", when="income > 3 and age > 3", reason="{dpd_now}", horizon_months=3)
    usable, lacking = usable_rules([*RULES, needs_word, both], COLUMNS)
    assert usable == RULES
    assert lacking == {"word": ["income"], "both": ["age", "income"]}


# --- files -------------------------------------------------------------------------------------------------------------


def write(folder: Path, text: str) -> Path:
    path = folder / "mine.yaml"
    path.write_text(text)
    return path


def rule_text(**changes: str) -> str:
    values = {
        "name": "late",
        "severity": "red",
        "when": "dpd_now >= days",
        "thresholds": "{days: 60}",
        "reason": "'{dpd_now:.0f} days'",
        "horizon_months": "3",
        **changes,
    }
    lines = [f"{key}: {value}" for key, value in values.items() if value]
    return "  - " + "\n    ".join(lines) + "\n"


def test_a_rule_file_is_read(tmp_path: Path) -> None:
    rules = load_rules(write(tmp_path, "rules:\n" + rule_text()), known=COLUMNS)
    assert rules == [
        Rule(name="late", severity="red", when="dpd_now >= days", thresholds={"days": 60}, reason="{dpd_now:.0f} days",
             horizon_months=3)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rules:\n" + rule_text(when="dpd_no > 3"), "rule 'late': condition 'dpd_no > 3': unknown column 'dpd_no'."),
        ("rules:\n" + rule_text(when="dpd_now"), "is neither true nor false"),
        ("rules:\n" + rule_text(reason="'{dpd_no}'"), "rule 'late': reason '{dpd_no}': unknown column 'dpd_no'."),
        ("rules:\n" + rule_text(reason="'{dpd_now:.0q} days'"), "rule 'late': reason '{dpd_now:.0q} days' does not fit"),
        ("rules:\n" + rule_text(reason="'{dpd_now days'"), "does not fit"),
        ("rules:\n" + rule_text(reason="'{} days'"), "does not fit"),
        ("rules:\n" + rule_text(severity="rad"), "rules.0.severity: found 'rad'"),
        ("rules:\n" + rule_text(severty="red"), "unknown name 'rules.0.severty'. Did you mean 'severity'?"),
        ("rules:\n" + rule_text(name="Late one"), "rules.0.name: found 'Late one'"),
        ("rules:\n" + rule_text(horizon_months="0"), "rules.0.horizon_months: found 0"),
        ("rules:\n" + rule_text(reason=""), "'rules.0.reason' is missing"),
        ("rules:\n" + rule_text() + rule_text(), "two rules are called 'late'"),
        ("rules: []", "rules: found []"),
        ("rule:\n" + rule_text(), "unknown name 'rule'. Did you mean 'rules'?"),
    ],
)  # fmt: skip
def test_a_wrong_rule_file_is_told(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ParameterError) as caught:
        load_rules(write(tmp_path, text), known=COLUMNS)
    assert message in str(caught.value)
    assert "mine.yaml" in str(caught.value)


def test_a_reason_may_show_a_text_column(tmp_path: Path) -> None:
    rules = load_rules(write(tmp_path, "rules:\n" + rule_text(reason="'grade {grade}'")), known=COLUMNS)
    assert alerts(rules).iloc[0]["reasons"] == ["grade G"]


def test_the_shipped_rules_fit_the_columns_there_are(workspace: Workspace) -> None:
    known = [*WATCHED, *(found.name for found in select())]
    rules = load_rules(workspace.params / "rules" / "default.yaml", known=known)
    usable, lacking = usable_rules(rules, known)
    assert usable == rules
    assert lacking == {}
    assert {rule.severity for rule in rules} == {"red", "orange", "yellow"}


def test_the_shipped_reasons_in_chinese_fill_with_the_same_columns(workspace: Workspace) -> None:
    known = [*WATCHED, *(found.name for found in select())]
    for rule in load_rules(workspace.params / "rules" / "default.yaml", known=known):
        with in_language("zh"):
            told = say(rule.reason)
        assert told != rule.reason, "no translation"
        places = [
            {field for _text, field, _spec, _conversion in Formatter().parse(text) if field}
            for text in (rule.reason, told)
        ]
        assert places[0] == places[1], rule.name
        assert told.format_map(dict.fromkeys(places[0], 0.0))


def test_the_shipped_takeover_rule_needs_all_its_signs(workspace: Workspace) -> None:
    rules = load_rules(workspace.params / "rules" / "default.yaml", known=[*WATCHED, *(f.name for f in select())])
    takeover = next(rule for rule in rules if rule.name == "possible_account_takeover")
    signs = {"contact_changes_90d": 1.0, "failed_logins_30d": 5.0, "unusual_debits_30d": 1.0}
    rows = [signs, *({**signs, name: value - 1} for name, value in signs.items())]
    assert takeover.condition().holds(pd.DataFrame(rows)).tolist() == [True, False, False, False]
