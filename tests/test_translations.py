"""Every word that is shown has its Chinese, with the same places, in Chinese punctuation."""

from __future__ import annotations

import re
import runpy
from pathlib import Path
from typing import Any

import pytest
from babel.messages.pofile import read_po

ROOT = Path(__file__).resolve().parent.parent
SCRIPT = runpy.run_path(str(ROOT / ".ci" / "messages.py"))
PLACE = re.compile(r"\{(\w*)[^{}]*\}")
ASCII_MARK = re.compile(r"[\u4e00-\u9fff][,:;?]")  # after a Chinese character a mark is of full width


@pytest.fixture(scope="module")
def shipped() -> Any:
    with SCRIPT["CATALOGUE"].open("rb") as file:
        return read_po(file, locale="zh_CN")


def forms(text: str | tuple[str, ...] | list[str]) -> list[str]:
    return [text] if isinstance(text, str) else list(text)


def places(text: str | tuple[str, ...] | list[str]) -> set[str]:
    return {name for form in forms(text) for name in PLACE.findall(form)}


def told(catalogue: Any) -> list[Any]:
    return [found for found in catalogue if found.id and SCRIPT["is_told"](found.string)]


def test_every_message_of_code_notebooks_and_params_is_translated(shipped: Any) -> None:
    known = {found.id for found in told(shipped)}
    missing = sorted({f"{where}: {found!r}" for where, found in SCRIPT["messages"]() if found not in known})
    assert missing == [], "translate them in workbench/locale/zh.po; python .ci/messages.py adds them there"


def test_the_catalogue_is_as_the_script_writes_it() -> None:
    written = SCRIPT["written"](SCRIPT["updated"]([]))
    assert SCRIPT["CATALOGUE"].read_bytes() == written, "run: python .ci/messages.py"


def test_a_translation_has_the_places_of_its_message(shipped: Any) -> None:
    differing = [
        (found.id, found.string, sorted(places(found.id) ^ places(found.string)))
        for found in told(shipped)
        if places(found.id) != places(found.string)
    ]
    assert differing == []


def test_no_translation_is_fuzzy_or_obsolete(shipped: Any) -> None:
    assert [found.id for found in shipped if found.id and found.fuzzy] == []
    assert list(shipped.obsolete) == []


def test_chinese_has_chinese_punctuation(shipped: Any) -> None:
    wrong = [
        (found.id, match.group())
        for found in told(shipped)
        for form in forms(found.string)
        if (match := ASCII_MARK.search(form))
    ]
    assert wrong == []


def test_what_this_file_looks_for_it_finds() -> None:
    assert places("{n:,} of {all} {{x}}") == {"n", "all", "x"}
    assert places(("{count} row", "{count} rows of {all:.1%}")) == {"count", "all"}
    assert ASCII_MARK.search("客户,贷款")
    assert ASCII_MARK.search("客户: 贷款")
    assert ASCII_MARK.search("是吗?")
    assert not ASCII_MARK.search("客户，贷款：`a, b`; PD, LGD：1,000")
