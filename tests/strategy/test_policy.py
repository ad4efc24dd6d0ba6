"""Policies: which action is proposed, to whom, by when, and what a cut leaves."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any, get_args

import pandas as pd
import pytest

from workbench.core.errors import ParameterError
from workbench.core.languages import in_language, say
from workbench.core.workspace import Workspace
from workbench.indicators.registry import select
from workbench.monitoring.watch import WATCHED
from workbench.strategy.policy import (
    ACTION_COLUMNS,
    ACTION_WORDS,
    ALERTED,
    Action,
    PolicyRow,
    in_words,
    load_policy,
    propose,
    usable_rows,
)

AS_OF = date(2025, 6, 30)
KNOWN = ["alert_id", "customer_id", "severity", "dpd_now", "pd", "balance", "credit_limit"]
CUT = PolicyRow(action="cut_limit", when="pd >= 0.1", why="high PD", within_days=14, limit_factor=0.5)
POLICY = [
    PolicyRow(action="terminate_and_recover", when="dpd_now >= 90", why="in default", within_days=5),
    CUT,
    PolicyRow(action="contact", when="severity == 'orange'", why="an orange alert", within_days=7),
]


def alerted(*rows: tuple[Any, ...]) -> pd.DataFrame:
    columns = ["customer_id", "severity", "dpd_now", "pd", "balance", "credit_limit"]
    frame = pd.DataFrame(rows, columns=columns)
    return frame.assign(alert_id="demo-20250630-" + frame["customer_id"])


def test_the_first_row_that_holds_proposes_and_nothing_acts() -> None:
    actions = propose(
        alerted(
            ("C1", "orange", 95, 0.9, 10.0, 100.0),
            ("C2", "orange", 0, 0.2, 10.0, 100.0),
            ("C3", "orange", 0, None, 10.0, 100.0),
            ("C4", "yellow", 0, 0.01, 10.0, 100.0),
        ),
        POLICY,
        as_of=AS_OF,
    )
    assert actions.columns.tolist() == ACTION_COLUMNS
    assert actions["action"].tolist() == ["terminate_and_recover", "cut_limit", "contact", "watch"]
    assert actions["why"].tolist() == ["in default", "high PD", "an orange alert", "no row of the policy holds"]
    assert [day.date() for day in actions["due_on"]] == [
        date(2025, 7, 5),
        date(2025, 7, 14),
        date(2025, 7, 7),
        date(2025, 7, 30),
    ]
    assert actions["action_id"].tolist()[:2] == ["demo-20250630-C1-terminate_and_recover", "demo-20250630-C2-cut_limit"]
    assert set(actions["status"]) == {"proposed"}


@pytest.mark.parametrize(
    ("balance", "limit", "new_limit"),
    [(10.0, 100.0, 50.0), (80.0, 100.0, 80.0), (50.0, 100.0, 50.0), (33.33, 66.65, 33.33), (33.32, 66.67, 33.34)],
)
def test_a_cut_never_goes_below_the_balance(balance: float, limit: float, new_limit: float) -> None:
    table = propose(alerted(("C1", "red", 0, 0.5, balance, limit)), [CUT], as_of=AS_OF)
    assert table["new_limit"].item() == pytest.approx(new_limit, abs=0.0051)
    assert balance <= table["new_limit"].item() <= limit


def test_a_cut_never_raises_a_limit() -> None:
    table = propose(alerted(("C1", "red", 0, 0.5, 120.0, 100.0)), [CUT], as_of=AS_OF)  # overdrawn
    assert table["new_limit"].item() == 100.0


def test_only_a_cut_has_a_new_limit() -> None:
    table = propose(alerted(("C1", "red", 99, 0.5, 1.0, 9.0), ("C2", "red", 0, 0.0, 1.0, 9.0)), POLICY, as_of=AS_OF)
    assert table["new_limit"].isna().all()


def test_nobody_alerted_nothing_proposed() -> None:
    table = propose(alerted(("C1", "red", 0, 0.5, 1.0, 9.0)).head(0), POLICY, as_of=AS_OF)
    assert table.columns.tolist() == ACTION_COLUMNS
    assert table.empty


def test_codes_stay_and_words_are_in_the_language_in_use() -> None:
    shipped = POLICY[0].model_copy(update={"why": "late or a red alert"})
    customers = alerted(
        ("C1", "red", 95, 0.5, 1.0, 9.0), ("C2", "red", 0, 0.5, 1.0, 9.0), ("C3", "red", 0, 0.0, 1.0, 9.0)
    )
    with in_language("zh"):
        actions = propose(customers, [shipped, CUT], as_of=AS_OF)
        read = in_words(actions)
    assert actions["action"].tolist() == ["terminate_and_recover", "cut_limit", "watch"]
    assert set(actions["status"]) == {"proposed"}
    assert actions["why"].tolist() == [
        "已逾期或触发红色预警",
        "high PD",
        "未触发任何策略条款",
    ]  # a user's own text stays
    assert read["action"].tolist() == ["终止交易并追偿", "下调信用额度", "持续观察"]
    assert set(read["status"]) == {"待审批"}
    assert in_words(actions)["action"].tolist() == ["terminate and recover", "cut limit", "watch"]
    assert in_words(actions.head(0)).columns.tolist() == ACTION_COLUMNS


def test_every_action_has_its_words_in_both_languages() -> None:
    assert list(ACTION_WORDS) == list(get_args(Action))
    with in_language("zh"):
        assert all(not say(words).isascii() for words in (ACTION_WORDS | ALERTED).values())


def test_the_shipped_policy_says_why_in_chinese(workspace: Workspace) -> None:
    known = [*ALERTED, *WATCHED, *(found.name for found in select())]
    with in_language("zh"):
        assert all(
            say(row.why) != row.why for row in load_policy(workspace.params / "policies" / "default.yaml", known=known)
        )


def test_rows_that_need_an_absent_column_are_left_out_and_named() -> None:
    second_contact = PolicyRow(action="contact", when="income < 3", why="x", within_days=1)
    third_contact = PolicyRow(action="contact", when="age < 3", why="x", within_days=1)
    usable, lacking = usable_rows([*POLICY, second_contact, third_contact], KNOWN)
    assert usable == POLICY
    assert lacking == {"contact": ["age", "income"]}


# --- files -------------------------------------------------------------------------------------------------------------


def write(folder: Path, row: str) -> Path:
    path = folder / "mine.yaml"
    path.write_text(f"rows:\n  - {{{row}}}\n")
    return path


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("action: contact, when: dpd_no > 3, why: x, within_days: 3", "'contact': condition 'dpd_no > 3': unknown column 'dpd"),
        ("action: cut_limit, when: pd > 0.1, why: x, within_days: 3", "limit_factor belongs to cut_limit, and it needs one"),
        ("action: contact, when: pd > 0.1, why: x, within_days: 3, limit_factor: 0.5", "limit_factor belongs to cut_limit"),
        ("action: cut_limit, when: pd > 0.1, why: x, within_days: 3, limit_factor: 1.5", "rows.0.limit_factor: found 1.5"),
        ("action: contct, when: pd > 0.1, why: x, within_days: 3", "rows.0.action: found 'contct'"),
        ("action: contact, when: pd > 0.1, why: x, within_day: 3", "'rows.0.within_day'. Did you mean 'within_days'?"),
        ("action: contact, when: pd > 0.1, why: x, within_days: 0", "rows.0.within_days: found 0"),
    ],
)  # fmt: skip
def test_a_wrong_policy_file_is_told(row: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ParameterError) as caught:
        load_policy(write(tmp_path, row), known=KNOWN)
    assert message in str(caught.value)
    assert "mine.yaml" in str(caught.value)


def test_the_shipped_policy_fits_the_columns_there_are(workspace: Workspace) -> None:
    known = ["severity", "balance", "credit_limit", *WATCHED, *(found.name for found in select())]
    policy = load_policy(workspace.params / "policies" / "default.yaml", known=known)
    assert usable_rows(policy, known) == (policy, {})
    assert policy[0].action == "terminate_and_recover"  # default comes before everything else
