"""`workbench book import`, `check` and `loads` as a user types them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from workbench.core.workspace import Workspace

from ..commands import Finished

Typed = Callable[..., Finished]
MAPPING = {
    "source": "a bank of three",
    "from": "delivery",
    "time_zone": "Europe/Berlin",
    "currency": "EUR",
    "max_reject_share": 0.5,
    "sources": {"people": {"files": "people.csv"}, "loans": {"files": "loans.csv"}},
    "tables": {
        "customers": {
            "from": "people",
            "columns": {"customer_id": "id", "birth_date": "born", "name": "name", "monthly_income": "income"},
            "known_at": "since",
        },
        "loans": {"from": "loans", "columns": {"loan_id": "id", "customer_id": "owner", "opened_on": "opened"}},
    },
}
PEOPLE = "id,name,born,income,since\nC1,Ann,1980-02-29,1000,2023-01-01\nC2,Bob,1990-02-30,2000,2023-01-01\n"
LOANS = "id,owner,opened\nL1,C1,2023-02-01\nL2,C2,2023-03-01\n"


@pytest.fixture
def home(new_workspace: Callable[..., Workspace]) -> Path:
    root = new_workspace().root
    (root / "params" / "books" / "three.yaml").write_text(yaml.safe_dump(MAPPING), "utf-8")
    deliver(root)
    return root


def deliver(root: Path, people: str = PEOPLE, loans: str = LOANS, *, folder: str = "delivery") -> None:
    (root / folder).mkdir(exist_ok=True)
    (root / folder / "people.csv").write_text(people, "utf-8")
    (root / folder / "loans.csv").write_text(loans, "utf-8")


def test_an_import_says_what_came_in_and_what_did_not(home: Path, typed: Typed) -> None:
    done = typed("book", "import", "three", home=home)
    assert done.code == 0, done.err
    assert "customers: 1 values left empty: birth_date: cannot be read as date" in done.out
    assert "see data/books/three/rejects/" in done.out
    assert "book three, generation " in done.out
    assert "Bob" not in done.out + done.err
    again = typed("book", "import", "three", home=home)
    assert again.out.startswith("this delivery is in already: book three stays as it is")
    listed = json.loads(typed("book", "loads", "three", "--json", home=home).out)
    assert [load["status"] for load in listed] == ["done", "unchanged"]
    assert listed[0]["tables"]["customers"]["emptied"] == {"birth_date: cannot be read as date": 1}
    assert {file["sha256"] for file in listed[0]["sources"]["people"]["files"]} != set()
    assert "three" not in typed("book", "loads", "three", home=home).err


def test_an_append_from_another_folder(home: Path, typed: Typed) -> None:
    typed("book", "import", "three", "--delivered", "2023-06-30", home=home)
    deliver(home, PEOPLE.replace("1000", "1500"), LOANS + "L3,C1,2023-07-01\n", folder="july")
    done = typed("book", "import", "three", "--append", "--from", "july", "--delivered", "2023-07-31", home=home)
    assert done.code == 0, done.err
    first, second = json.loads(typed("book", "loads", "three", "--json", home=home).out)
    assert [first["delivered_at"], second["delivered_at"]] == [
        "2023-06-30T21:59:59.999999Z",
        "2023-07-31T21:59:59.999999Z",
    ]
    assert "customers: 1 rows added (1 of them corrections), 1 known already" in done.out
    assert "loans: 1 rows added, 2 known already" in done.out
    shown = json.loads(typed("book", "show", "three", "--json", home=home).out)
    assert (shown["tables"]["customers"]["rows"], shown["tables"]["customers"]["keys"]) == (3, 2)


def test_an_append_may_lack_an_optional_source(home: Path, typed: Typed) -> None:
    mapping = yaml.safe_load(yaml.safe_dump(MAPPING))
    mapping["sources"]["people"]["optional"] = True
    (home / "params" / "books" / "three.yaml").write_text(yaml.safe_dump(mapping), "utf-8")
    typed("book", "import", "three", "--delivered", "2023-06-30", home=home)
    deliver(home, loans=LOANS + "L3,C1,2023-07-01\n", folder="july")
    (home / "july" / "people.csv").unlink()
    done = typed("book", "import", "three", "--append", "--from", "july", "--delivered", "2023-07-31", home=home)
    assert done.code == 0, done.err
    assert "loans: 1 rows added, 2 known already" in done.out
    assert "not in this delivery: people" in done.out
    anew = typed("book", "import", "three", "--from", "july", "--delivered", "2023-07-31", home=home)
    assert "sources.people: no file matches" in anew.message()  # a whole import needs them all
    (home / "july" / "loans.csv").unlink()
    lost = typed("book", "import", "three", "--append", "--from", "july", "--delivered", "2023-08-01", home=home)
    assert "sources.loans: no file matches" in lost.message()


def test_deliveries_come_in_their_order(home: Path, typed: Typed) -> None:
    typed("book", "import", "three", "--delivered", "2023-06-30", home=home)
    early = typed("book", "import", "three", "--append", "--delivered", "2023-05-31", home=home)
    assert "the one before of 2023-06-30" in early.message()


def test_a_load_can_be_taken_back(home: Path, typed: Typed) -> None:
    typed("book", "import", "three", "--delivered", "2023-06-30", home=home)
    assert "there is no generation before this one" in typed("book", "revert", "three", home=home).message()
    deliver(home, PEOPLE.replace("1000", "1500"), LOANS + "L3,C1,2023-07-01\n", folder="july")
    typed("book", "import", "three", "--append", "--from", "july", "--delivered", "2023-07-31", home=home)

    def loans() -> int:
        found: int = json.loads(typed("book", "show", "three", "--json", home=home).out)["tables"]["loans"]["rows"]
        return found

    assert loans() == 3
    done = typed("book", "revert", "three", home=home)
    assert (done.code, loans()) == (0, 2)
    assert typed("book", "revert", "three", home=home).code == 0
    assert loans() == 3


def test_a_check_ends_with_2_where_a_finding_is_an_error(home: Path, typed: Typed) -> None:
    typed("book", "import", "three", home=home)
    clean = typed("book", "check", "three", home=home)
    assert clean.code == 0
    deliver(home, loans=LOANS.replace("L2,C2", "L2,C9"))
    refused = typed("book", "import", "three", home=home)
    assert refused.code == 2
    assert "loans.customer_id names a customer that the book does not have (1 rows, 50.00%); such as L2" in refused.err
    lowered = {"loans.orphans": {"severity": "warning", "reason": "closed customers are purged"}}
    (home / "params" / "books" / "three.yaml").write_text(yaml.safe_dump({**MAPPING, "severities": lowered}), "utf-8")
    assert typed("book", "import", "three", home=home).code == 0
    report = json.loads(typed("book", "check", "three", "--json", home=home).out)
    (finding,) = [found for found in report["findings"] if found["check"] == "loans.orphans"]
    assert (finding["severity"], finding["reason"]) == ("warning", "closed customers are purged")
    (home / "params" / "books" / "three.yaml").write_text(yaml.safe_dump(MAPPING), "utf-8")
    shown = typed("book", "check", "three", home=home)
    assert "lowered by the mapping: closed customers are purged" in shown.out  # as the load that made it said


def test_an_unknown_column_is_answered_with_its_nearest(home: Path, typed: Typed) -> None:
    mapping = yaml.safe_load(yaml.safe_dump(MAPPING))
    mapping["tables"]["customers"]["columns"]["birth_date"] = "borne"
    (home / "params" / "books" / "three.yaml").write_text(yaml.safe_dump(mapping), "utf-8")
    done = typed("book", "import", "three", home=home)
    assert done.code == 2
    assert "tables.customers.birth_date: borne: unknown column 'borne'. Did you mean 'born'?" in done.message()


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (
            {"severities": {"loans.orphan": {"severity": "info", "reason": "purged long ago"}}},
            "Did you mean 'loans.orphans'?",
        ),
        ({"severities": {"loans.orphans": {"severity": "info", "reason": "so"}}}, "at least 10 characters"),
        ({"roles": {"loans": {"customer_id": "private"}}}, "roles.loans.customer_id is a key"),
        ({"time_zone": "Berlin"}, "unknown time zone 'Berlin'"),
        ({"curency": "EUR"}, "Did you mean 'currency'?"),
    ],
)
def test_a_wrong_mapping_is_one_message(more: dict[str, object], message: str, home: Path, typed: Typed) -> None:
    (home / "params" / "books" / "three.yaml").write_text(yaml.safe_dump({**MAPPING, **more}), "utf-8")
    done = typed("book", "import", "three", home=home)
    assert done.code == 2
    assert message in done.message()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("import", "thre"), "unknown book 'thre'. Did you mean 'three'?"),
        (("import", "three", "--append"), "there is no book to append to"),
        (("import", "three", "--delivered", "July"), "delivered: found 'July'"),
        (("import", "three", "--from", "nowhere"), "no file matches"),
        (("check", "three"), "unknown book 'three'"),
    ],
)
def test_wrong_input_is_one_message(arguments: tuple[str, ...], message: str, home: Path, typed: Typed) -> None:
    done = typed("book", *arguments, home=home)
    assert done.code == 2
    assert message in done.message()
