"""Each switch of a simulated lender does what it says, and nothing where it is off."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field, fields, replace
from datetime import date
from itertools import product
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest

from workbench.book.simulation import Story, simulate, story
from workbench.book.simulation.month import treatments as given
from workbench.book.simulation.month.applications import ACCEPTED, DECLINED
from workbench.book.simulation.month.stress import GRADUAL_EXPENSE, GRADUAL_INCOME
from workbench.book.simulation.population import Population, draw_population
from workbench.book.simulation.state import BAD_DPD, CARD, WRITTEN_OFF
from workbench.book.simulation.story import EFFECTS, TREATMENTS
from workbench.book.simulation.truth.followed import Followed, follow, is_bad
from workbench.book.simulation.world import BURN_IN_MONTHS, Block, Bools, Calendar, Ints, draws
from workbench.book.simulation.writing import customers, faults
from workbench.book.simulation.writing.customers import TWICE_FIRST
from workbench.core.errors import InputError

from .lives import Lived, live, world_of

SEED = 17
SWITCHES = [switch.name for switch in fields(Story) if switch.name not in TREATMENTS]


def written(month: int) -> int:
    """Return the `t` of a written month, counted from 1."""
    return BURN_IN_MONTHS + month - 1


# the words


def test_none_switches_everything_off() -> None:
    calm = Story.calm()
    assert not any(getattr(calm, name) for name in SWITCHES)
    assert {getattr(calm, name) for name in TREATMENTS} == {"off"}
    assert Story().switched(["none"]) == calm
    assert Story().switched(["dirt=off", "none", "downturn=on"]) == replace(calm, downturn=True)
    assert Story().switched([]) == Story()


@pytest.mark.parametrize("name", SWITCHES)
def test_a_switch_is_on_or_off(name: str) -> None:
    for word, value in (("on", True), ("off", False)):
        assert Story().switched([f"{name}={word}"]) == replace(Story(), **{name: value})
    with pytest.raises(InputError, match=rf"switch {name}: found 'helpful', expected one of on, off: {name}=on"):
        Story().switched([f"{name}=helpful"])


@pytest.mark.parametrize(("name", "effect"), list(product(TREATMENTS, EFFECTS)))
def test_a_treatment_has_one_of_four_effects(name: str, effect: str) -> None:
    assert getattr(Story().switched([f"{name}={effect}"]), name) == effect


@pytest.mark.parametrize(
    ("assignment", "found"),
    [
        ("contact=on", "switch contact: found 'on', expected one of off, zero, helpful, harmful: contact=off, say."),
        ("downturn", "switch downturn: found '', expected one of on, off"),
        ("downturns=on", "downturn"),
        ("None", "Or none, for all off"),
    ],
)
def test_a_wrong_switch_is_named(assignment: str, found: str) -> None:
    with pytest.raises(InputError) as caught:
        Story().switched([assignment])
    assert found in str(caught.value)


def test_a_story_is_told_in_the_words_that_make_it() -> None:
    told = [Story(), Story.calm(), replace(Story.calm(), contact="zero", concept_drift=True)]
    told += [replace(Story(), **{name: not getattr(Story(), name)}) for name in SWITCHES]
    told += [replace(Story(), **{name: effect}) for name, effect in product(TREATMENTS, EFFECTS)]
    for one in told:
        words = one.told()
        assert Story().switched(words.split(", ") if words else []) == one
    assert Story().told() == ""
    assert Story.calm().told() == "none"


def test_dates_of_the_story_are_ordered() -> None:
    assert list(story.DOWNTURN_MONTHS) == sorted(set(story.DOWNTURN_MONTHS))
    depths = [Story().depth_of_downturn(t) for t in range(120)]
    first, full, lifts, over = (written(month) for month in story.DOWNTURN_MONTHS)
    assert max(depths[: first + 1]) == 0
    assert set(depths[full : lifts + 1]) == {1.0}
    assert max(depths[over:]) == 0
    assert Story(downturn=False).depth_of_downturn(full) == 0


# what happens


@dataclass
class Notes:
    """What is compared of a lender's months, by `t`; loans by customer and number."""

    stressed: list[float] = field(default_factory=list)  # share of customers
    decisions: list[Ints] = field(default_factory=list)
    struck: list[Ints] = field(default_factory=list)  # customers whose gradual stress began
    opened: list[set[tuple[int, int]]] = field(default_factory=list)
    bad: list[set[tuple[int, int]]] = field(default_factory=list)  # 90 days past due or written off

    def note(self, lived: Lived) -> None:
        """Keep a month."""
        t, _before, state, month = lived
        loans = state.loans
        self.stressed.append(float((state.stress > 0).mean()))
        self.decisions.append(month.applications.decision)
        gradual = np.isin(state.stress_kind, (GRADUAL_INCOME, GRADUAL_EXPENSE))
        self.struck.append(np.flatnonzero(month.began & gradual))
        lost = (loans.status == WRITTEN_OFF) & (loans.closed_t == t)
        for kept, at in (
            (self.opened, month.collected.opened),
            (self.bad, np.flatnonzero((loans.dpd >= BAD_DPD) | lost)),
        ):
            kept.append(set(zip(loans.customer[at].tolist(), loans.slot[at].tolist(), strict=True)))

    def stressed_share(self, first: int, last: int) -> float:
        """Return the share of customers under stress in written months."""
        return float(np.mean(self.stressed[written(first) : written(last) + 1]))

    def approval(self, first: int, last: int) -> tuple[float, float]:
        """Return the share accepted of the applications decided in written months, and its standard error."""
        rows = np.concatenate(self.decisions[written(first) : written(last) + 1])
        rows = rows[np.isin(rows, (ACCEPTED, DECLINED))] == ACCEPTED
        return float(rows.mean()), float(rows.std() / np.sqrt(len(rows)))

    def struck_in(self, first: int, last: int) -> Ints:
        """Return the customers whose gradual stress began in written months, each as often as it did."""
        return np.concatenate(self.struck[written(first) : written(last) + 1])

    def vintage(self, first: int, last: int) -> float:
        """Return the share of the loans opened in written months that were bad within a year."""
        loans = [(t, loan) for t in range(written(first), written(last) + 1) for loan in self.opened[t]]
        return float(np.mean([any(loan in bad for bad in self.bad[t : t + 13]) for t, loan in loans]))


def notes(told: Story, *, months: int, customers: int = 4_000) -> Notes:
    """Return the notes of a lender."""
    world, _block = world_of(customers, months=months, seed=SEED, story=told)
    found = Notes()
    for lived in live(world, seed=SEED):
        found.note(lived)
    return found


@pytest.fixture(scope="module")
def calm() -> Notes:
    """Return 61 written months in which nothing happens."""
    return notes(Story.calm(), months=61)


def test_a_calm_lender_treats_nobody() -> None:
    world, _block = world_of(500, months=40, seed=SEED, story=Story.calm())
    for _t, before, state, month in live(world, seed=SEED):
        done = month.treatments
        assert not done.contacted.any()
        assert (done.restructuring_kind == given.PAYMENT_HOLIDAY).all()
        assert not any(len(decided.customer) for decided in done.decided)
        assert (state.loans.limit[: before.loans.size] >= before.loans.limit).all()
        assert not month.applications.overruled.any()
        assert not state.tamed_months.any()
        assert not state.angry_months.any()


def test_a_downturn_raises_stress_while_it_lasts(calm: Notes) -> None:
    first, _full, lifts, over = story.DOWNTURN_MONTHS
    down = notes(replace(Story.calm(), downturn=True), months=over + 14)
    assert down.stressed_share(1, first) == calm.stressed_share(1, first)
    inside = down.stressed_share(first + 6, lifts) / calm.stressed_share(first + 6, lifts)
    after = down.stressed_share(over + 12, over + 14) / calm.stressed_share(over + 12, over + 14)
    assert inside > 1.2
    assert after < (1 + inside) / 2


def test_loose_underwriting_approves_more_and_worse_in_its_months_only() -> None:
    first, last = story.LOOSE_MONTHS
    calm, loose = (
        notes(replace(Story.calm(), loose_vintage=on), months=last + 13, customers=10_000) for on in (False, True)
    )
    usual, error = calm.approval(first, last)
    granted, other_error = loose.approval(first, last)
    assert granted - usual > 4 * np.hypot(error, other_error)
    assert loose.approval(1, first - 1) == calm.approval(1, first - 1)
    usual, error = calm.approval(last + 1, last + 12)
    granted, other_error = loose.approval(last + 1, last + 12)
    assert abs(granted - usual) < 3.5 * np.hypot(error, other_error)
    assert loose.vintage(first, last) > calm.vintage(first, last)


def people(told: Story) -> Population:
    return draw_population(Block(0, 0, 10_000), Calendar(date(2021, 1, 1), 60), told, draws(SEED, 0))


def test_a_shift_of_mix_brings_younger_customers_who_ask_for_cards() -> None:
    usual, shifted = people(Story(mix_shift=False)), people(Story(mix_shift=True))
    late = usual.since_t >= written(story.SHIFTED_FROM_MONTH)
    assert 800 < late.sum() < 2_500
    for name in {trait.name for trait in fields(Population)} - {"first"}:
        assert np.array_equal(getattr(usual, name)[~late], getattr(shifted, name)[~late]), name
    years = (shifted.birth[late] - usual.birth[late]).astype(np.int64) / 365.25
    assert years.mean() > 3
    assert np.allclose(shifted.likes_cards[late], 2 * usual.likes_cards[late])


def test_after_a_drift_new_stress_has_less_to_do_with_vulnerability(calm: Notes) -> None:
    drifted = notes(replace(Story.calm(), concept_drift=True), months=61)
    vulnerability = world_of(4_000, months=61, seed=SEED, story=Story.calm())[0].population.vulnerability
    before, after = (1, story.DRIFT_FROM_MONTH - 1), (story.DRIFT_FROM_MONTH, 61)
    assert np.array_equal(calm.struck_in(*before), drifted.struck_in(*before))
    usual, other = (vulnerability[told.struck_in(*after)] for told in (calm, drifted))
    assert min(len(usual), len(other)) > 100
    gap = usual.mean() - other.mean()
    assert gap > 2.5 * np.hypot(usual.std() / np.sqrt(len(usual)), other.std() / np.sqrt(len(other)))


# faults for monitoring to find


FEED_BREAKS, UNIT_CHANGES = (4, 5), 6
"""Written months, here: a short book is enough."""


@pytest.fixture(scope="module")
def faulty(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Return a lender of a year, and the same with a broken feed and a changed unit; many are registered twice."""
    folders = tmp_path_factory.mktemp("usual"), tmp_path_factory.mktemp("faulty")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(faults, "REGISTERED_TWICE", 0.3)
        patch.setattr(story, "BROKEN_MONTHS", FEED_BREAKS)
        patch.setattr(customers, "UNIT_FROM_MONTH", UNIT_CHANGES)
        for folder, switches in zip(folders, ([], ["broken_feed=on", "changed_unit=on"]), strict=True):
            simulate(folder, customers=300, months=12, seed=SEED, story=Story().switched(switches))
    return folders


def test_a_broken_feed_leaves_no_card_payment_in_its_months(faulty: tuple[Path, Path]) -> None:
    counts = [
        duckdb.sql(
            f"""select channel, (year(booked_at) - 2021) * 12 + month(booked_at) as month, count(*) as n
                from '{folder}/transactions.parquet' group by all order by all"""
        ).df()
        for folder in faulty
    ]
    broken = counts[0]["month"].between(*FEED_BREAKS) & (counts[0]["channel"] == "card")
    assert counts[0][broken]["n"].sum() > 200
    pd.testing.assert_frame_equal(counts[0][~broken].reset_index(drop=True), counts[1])


def changed_incomes(faulty: tuple[Path, Path]) -> pd.DataFrame:
    """Return by record of a customer how many times as high its income is after the change, and when it was made."""
    usual, changed = (pd.read_parquet(folder / "customers.parquet") for folder in faulty)
    assert usual.drop(columns="monthly_income").equals(changed.drop(columns="monthly_income"))
    assert usual["monthly_income"].isna().equals(changed["monthly_income"].isna())
    ratio = changed["monthly_income"].astype(float) / usual["monthly_income"].astype(float)
    yearly = usual["known_at"] >= pd.Timestamp(2021, UNIT_CHANGES, 1)
    twin = usual["customer_id"] >= f"C{TWICE_FIRST}"
    return pd.DataFrame({"ratio": ratio, "yearly": yearly, "twin": twin}).dropna()


def test_a_changed_unit_multiplies_incomes_declared_from_its_month_on(faulty: tuple[Path, Path]) -> None:
    found = changed_incomes(faulty)
    assert (found.loc[~found["yearly"], "ratio"] == 1).all()
    ratio = found.loc[found["yearly"] & ~found["twin"], "ratio"]
    assert len(ratio) > 10
    assert np.allclose(ratio, 12, rtol=1e-4)


def test_a_changed_unit_is_that_of_second_records_too(faulty: tuple[Path, Path]) -> None:
    found = changed_incomes(faulty)
    ratio = found.loc[found["yearly"] & found["twin"], "ratio"]
    assert len(ratio) > 10
    assert np.allclose(ratio, 12, rtol=1e-4)


def test_faults_of_the_feed_touch_no_other_table(faulty: tuple[Path, Path]) -> None:
    usual, changed = (
        {path.relative_to(folder): hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.rglob("*.parquet")}
        for folder in faulty
    )
    differ = {str(path) for path in usual if usual[path] != changed[path]}
    assert differ == {"transactions.parquet", "customers.parquet"}


# treatments

Twins = tuple[Bools, Bools]
"""Whether each case was bad within a year with the treatment, and without it."""


@pytest.fixture
def twins(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Twins]:
    """Return a function that follows each customer's first decision on one treatment into both worlds."""

    def measure(name: str, effect: str, *, customers: int, months: int) -> Twins:
        # all customers are followed for this treatment, not one in several
        monkeypatch.setattr(given, "FOLLOWED", np.array([TREATMENTS.index(name)]))
        world, block = world_of(customers, months=months, seed=SEED, story=replace(Story(), **{name: effect}))
        here, there = follow(world, SEED, block), follow(replace(world, flip=True), SEED, block)
        return cases(here, there)

    return measure


def cases(here: Followed, there: Followed) -> Twins:
    rows = [(t, made) for t, made in here.decisions if BURN_IN_MONTHS <= t <= len(here.worst) - 12]
    t = np.concatenate([np.full(len(made.customer), t) for t, made in rows])
    who, treated = (np.concatenate([getattr(made, name) for _, made in rows]) for name in ("customer", "treated"))
    ours, others = (is_bad(world.worst_within(t, who)) for world in (here, there))
    return np.where(treated, ours, others), np.where(treated, others, ours)


SIGNS = {"helpful": -1, "harmful": 1}
ENOUGH = {"contact": (10_000, 36), "limit_cut": (16_000, story.CUT_MONTHS[1] + 12), "restructuring": (10_000, 36)}
"""Customers and months on which the sign of an effect is certain."""


@pytest.mark.parametrize(("name", "effect"), list(product(TREATMENTS, SIGNS)))
def test_a_treatment_helps_or_harms_as_it_is_told(name: str, effect: str, twins: Callable[..., Twins]) -> None:
    people, months = ENOUGH[name]
    treated, untreated = twins(name, effect, customers=people, months=months)
    change = treated.astype(int) - untreated.astype(int)
    sign = SIGNS[effect] * change.sum() / np.sqrt(max((change**2).sum(), 1))
    said = f"{len(change)} cases, {treated.sum()} bad with it, {untreated.sum()} without: {sign:.1f} standard errors"
    assert sign > 3, said


@pytest.mark.parametrize("name", ["contact", "restructuring"])
def test_a_treatment_without_effect_has_exactly_none(name: str) -> None:
    zero = replace(Story.calm(), **{name: "zero"})
    worlds = [world_of(2_000, months=40, seed=SEED, story=told)[0] for told in (zero, Story.calm())]
    flipped = replace(worlds[0], flip=True)
    given_to = 0
    for ours, others, turned in zip(*(live(world, seed=SEED) for world in (*worlds, flipped)), strict=True):
        for other in (others, turned):
            assert np.array_equal(ours.state.cash, other.state.cash), f"month {ours.t}"
            assert np.array_equal(ours.state.loans.balance, other.state.loans.balance)
            assert np.array_equal(ours.state.loans.dpd, other.state.loans.dpd)
        given_to += sum(int(made.treated.sum()) for made in ours.month.treatments.decided)
    assert given_to > 0


def test_a_limit_cut_without_effect_on_habits_changes_next_to_nothing(twins: Callable[..., Twins]) -> None:
    treated, untreated = twins("limit_cut", "zero", customers=6_000, months=story.CUT_MONTHS[1] + 12)
    changed = treated != untreated  # a lower limit leaves less room, and that is all
    assert changed.mean() < 0.02
    assert len(changed) > 300


@pytest.mark.parametrize("name", TREATMENTS)
def test_a_treatment_switched_off_is_not_given(name: str) -> None:
    world, _block = world_of(1_000, months=story.CUT_MONTHS[1], seed=SEED, story=replace(Story(), **{name: "off"}))
    for _t, before, state, month in live(world, seed=SEED):
        done, m = month.treatments, before.loans.size
        if name == "contact":
            assert not done.contacted.any()
        elif name == "limit_cut":
            assert (state.loans.limit[:m] >= before.loans.limit).all()
        else:
            assert (done.restructuring_kind == given.PAYMENT_HOLIDAY).all()
            assert not done.settled.any()
        assert not any(len(made.customer) for made in done.decided if (made.kind == TREATMENTS.index(name)).any())


def test_who_is_treated_is_left_to_chance() -> None:
    """The treated and the others are alike in what they are: the difference between them is the treatment's."""
    world, _block = world_of(10_000, months=story.CUT_MONTHS[1], seed=SEED, story=Story())
    vulnerability, rows = world.population.vulnerability, []
    for lived in live(world, seed=SEED):
        for made in lived.month.treatments.decided:
            worst = lived.before.worst_dpd()[made.customer]
            rows += list(zip(made.kind, made.treated, vulnerability[made.customer], worst, strict=True))
    frame = pd.DataFrame(rows, columns=["kind", "treated", "vulnerability", "worst_dpd"]).astype(float)
    for _kind, of_kind in frame.groupby("kind"):
        treated = of_kind["treated"] == 1
        assert min(treated.sum(), (~treated).sum()) > 10
        for trait in ("vulnerability", "worst_dpd"):
            groups = [of_kind.loc[mask, trait] for mask in (treated, ~treated)]
            error = np.sqrt(sum(group.var() / len(group) for group in groups))
            assert abs(groups[0].mean() - groups[1].mean()) < 4 * error


def test_cut_limits_are_lower_and_never_below_the_balance() -> None:
    world, _block = world_of(3_000, months=story.CUT_MONTHS[1], seed=SEED, story=Story())
    cut = 0
    for t, before, state, _month in live(world, seed=SEED):
        m = before.loans.size
        lower = np.flatnonzero(state.loans.limit[:m] < before.loans.limit)
        assert len(lower) == 0 or within_programme(t)
        assert (before.loans.product[lower] == CARD).all()
        assert (state.loans.limit[lower] >= np.minimum(before.loans.balance[lower], before.loans.limit[lower])).all()
        cut += len(lower)
    assert cut > 10


def within_programme(t: int) -> bool:
    first, last = story.CUT_MONTHS
    return written(first) <= t <= written(last)
