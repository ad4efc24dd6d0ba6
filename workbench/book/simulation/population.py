"""Who the customers are: standing attributes, and the latent traits that nothing but `truth/` ever shows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from workbench.book.simulation.story import SHIFTED_FROM_MONTH, Story
from workbench.book.simulation.world import BURN_IN_MONTHS, Block, Bools, Calendar, Days, Draw, Floats, Ints, Stream

# All shares and effects below are house choices, ordered as in published household surveys (income rises with
# education; the self-employed earn less evenly; construction and retail feel a downturn more than the public sector).
EDUCATION = ("primary", "secondary", "vocational", "bachelor", "master")
EDUCATION_SHARE = (0.10, 0.32, 0.26, 0.22, 0.10)
EDUCATION_LOG_INCOME = np.array([-0.25, -0.08, 0.0, 0.22, 0.42])
EDUCATION_VULNERABILITY = np.array([0.25, 0.10, 0.0, -0.15, -0.25])

OCCUPATION = ("public", "industry", "retail", "services", "construction", "transport", "self_employed", "retired")
OCCUPATION_SHARE = np.array([
    [0.23, 0.11, 0.20, 0.25, 0.02, 0.03, 0.08, 0.08],  # women
    [0.10, 0.25, 0.09, 0.14, 0.14, 0.11, 0.11, 0.06],  # men
])  # fmt: skip
"""Occupation by gender: the known proxy. Who knows the occupation can guess the gender."""
SHIFTED_OCCUPATION = np.array([0.6, 0.8, 1.3, 1.4, 0.9, 1.2, 1.5, 0.2])
"""Factors on the shares for those who join after the shift of mix."""
OCCUPATION_LOG_INCOME = np.array([0.05, 0.06, -0.15, 0.0, 0.0, -0.05, 0.08, -0.30])
OCCUPATION_VULNERABILITY = np.array([-0.35, 0.0, 0.15, 0.0, 0.2, 0.1, 0.2, -0.3])
OCCUPATION_CYCLE = np.array([0.2, 1.1, 1.3, 0.9, 1.6, 1.1, 1.3, 0.1])
"""How strongly a sector feels the downturn (1 = the average sector)."""
OCCUPATION_VOLATILITY = np.array([0.02, 0.06, 0.08, 0.05, 0.12, 0.08, 0.30, 0.01])
"""Standard deviation of log income from month to month."""
SELF_EMPLOYED, RETIRED = 6, 7

GENDER = ("female", "male")
GENDER_VULNERABILITY = np.array([-0.15, 0.15])
"""The known true difference in risk between men and women, at the same occupation and age."""
AGE_VULNERABILITY = -0.40
"""For 14 years more, from 21 to 63: the known true difference between ages."""
MARITAL = ("single", "married", "divorced", "widowed")
REGION = ("north", "northeast", "east", "southeast", "south", "southwest", "west", "capital")
REGION_SHARE = (0.10, 0.08, 0.12, 0.10, 0.13, 0.10, 0.14, 0.23)
REGION_VULNERABILITY = np.array([0.0, 0.15, 0.1, 0.0, 0.0, 0.1, -0.05, -0.1])
BRANCHES_PER_REGION = 3

EMPLOYERS_PER_SECTOR = 250
EMPLOYER_SECTOR = np.repeat(np.arange(SELF_EMPLOYED), EMPLOYERS_PER_SECTOR)
"""The sector of each employer; the self-employed and the retired have none."""

MEDIAN_INCOME = 2_300.0
"""Net, EUR a month: house choice."""
SAVINGS_TARGET_LOG = -0.15
"""Log of the months of income that a customer of vulnerability 0 wants to keep in savings (calibrated)."""
HIDDEN_ACCOUNT_SHARE = 0.65
"""Customers whose main account is with another bank: their transactions here show next to nothing."""
SAVES_ELSEWHERE_SHARE = 0.75
"""Of the others: those who keep savings at another bank, so that the balance here says little about them."""
OLD_SHARE, JOINS_IN_BURN_IN, JOINS_WHILE_WRITTEN = 0.50, 0.20, 0.30
"""Customers from before the burn-in; those who join in it; those who join in the first 60 written months."""
JOINING_MONTHS = 60
UNUSED_CARD_SHARE = 0.14
"""Customers who keep a card in a drawer, unless money runs short."""
PAYS_LATE_SHARE = 0.06
"""Customers who pay each instalment that they send by hand when the next is due: 1-29 days past due, and no worse risks."""
FRAUD_SHARE = 0.0065
"""Of those who join while the book is written: they borrow with another's papers and never mean to pay."""
RUTHLESS_SHARE = 0.12
"""Customers who stop paying when it pays to: the strategic ones (Gerardi et al. and others find few)."""


@dataclass(frozen=True)
class Population:
    """Standing attributes and traits, one entry a customer (n,), in order of joining."""

    first: int  # position in the book of the first customer
    birth: Days
    gender: Ints
    marital: Ints
    education: Ints
    occupation: Ints
    employer: Ints  # -1: none
    region: Ints
    branch: Ints
    employed_since: Days
    since: Days
    since_t: Ints  # month of joining; negative before the burn-in
    income: Floats  # EUR a month at the first burn-in month
    gender_effect: Floats  # parts of the vulnerability
    age_effect: Floats
    vulnerability: Floats
    volatility: Floats
    need_share: Floats  # needs over income
    fun_share: Floats  # planned discretionary spending over income
    impulse: Floats  # share of the discretionary plan that is spent before dues are paid
    buffer_target: Floats  # savings aimed at, in months of income
    forgetful: Floats  # chance a month that a manual payment is forgotten
    appetite: Floats  # for loans
    likes_cards: Floats
    borrows_elsewhere: Bools
    gambler: Bools
    pays_late: Bools
    transactor: Bools
    keeps_card_unused: Bools
    rounds_up: Bools
    ruthless: Bools
    fraudster: Bools
    hidden: Bools
    saves_elsewhere: Bools
    salary_day: Ints
    rent_share: Floats  # of needs

    @property
    def size(self) -> int:
        """Number of customers."""
        return len(self.income)

    def joined_by(self, t: int) -> Bools:
        """Which customers have joined before month `t`."""
        return self.since_t < t


def draw_population(block: Block, calendar: Calendar, story: Story, draw: Draw) -> Population:
    """Return the people of a block; income and vulnerability follow from what they are, and chance."""
    rng = draw(Stream.POPULATION)
    n = block.size
    since_t, since = _joining(n, calendar, rng)
    shifted = story.mix_shift & (since_t >= BURN_IN_MONTHS + SHIFTED_FROM_MONTH - 1)
    gender = rng.integers(0, 2, n)
    education = rng.choice(len(EDUCATION), n, p=EDUCATION_SHARE)
    occupation = _occupation(gender, shifted, rng.random(n))
    region = rng.choice(len(REGION), n, p=REGION_SHARE)
    u = rng.beta(1.6, 1.9, n)
    age = np.where(occupation == RETIRED, rng.uniform(61, 76, n), 20 + 42 * np.where(shifted, u**1.7, u))
    opening = np.maximum(calendar.first_day(0), since)
    years_known = (opening - since).astype(np.int64) / 365.25
    age = np.maximum(age, 18.5 + years_known)
    divorced = np.clip((age - 28) / 150, 0, 0.2)
    u = rng.random(n)
    married = u < np.clip((age - 20) / 35, 0, 0.62)
    marital = np.select([married, u > 1 - divorced, (u > 0.72) & (age > 62)], [1, 2, 3], default=0)

    birth = opening - (age * 365.25).astype("timedelta64[D]")
    worked_days = rng.random(n) * np.clip(age - years_known - 17, 0.2, 25) * 365
    employed_since = since - worked_days.astype("timedelta64[D]")

    gender_effect = GENDER_VULNERABILITY[gender]
    age_effect = AGE_VULNERABILITY * np.clip((age - 42) / 14, -1.5, 1.5)
    vulnerability = (
        rng.standard_normal(n)
        + EDUCATION_VULNERABILITY[education]
        + OCCUPATION_VULNERABILITY[occupation]
        + REGION_VULNERABILITY[region]
        + gender_effect
        + age_effect
    )
    log_income = (
        EDUCATION_LOG_INCOME[education]
        + OCCUPATION_LOG_INCOME[occupation]
        + 0.12 * np.clip((age - 35) / 15, -1, 1)
        - 0.07 * (gender == 0)
        + 0.30 * rng.standard_normal(n)
    )
    buffer_target = np.exp(SAVINGS_TARGET_LOG - 0.20 * vulnerability + 0.55 * rng.standard_normal(n))
    fraudster = (rng.random(n) < FRAUD_SHARE) & (since_t >= BURN_IN_MONTHS)
    hidden = (rng.random(n) < HIDDEN_ACCOUNT_SHARE) | fraudster
    likes_cards = np.exp(0.4 * rng.standard_normal(n) - 0.08) * np.where(shifted, 2.0, 1.0)
    return Population(
        first=block.first,
        birth=birth,
        gender=gender,
        marital=marital.astype(np.int64),
        education=education,
        occupation=occupation,
        employer=_employer(occupation, rng.random(n)),
        region=region,
        branch=region * BRANCHES_PER_REGION + rng.integers(0, BRANCHES_PER_REGION, n),
        employed_since=employed_since,
        since=since,
        since_t=since_t,
        income=np.maximum(850.0, MEDIAN_INCOME * np.exp(log_income)),
        gender_effect=gender_effect,
        age_effect=age_effect,
        vulnerability=vulnerability,
        volatility=OCCUPATION_VOLATILITY[occupation] * rng.uniform(0.6, 1.4, n),
        need_share=np.clip(0.52 + 0.03 * vulnerability + 0.06 * rng.standard_normal(n), 0.35, 0.72),
        fun_share=np.clip(0.24 + 0.05 * rng.standard_normal(n), 0.08, 0.4),
        impulse=np.clip(rng.beta(1.5, 3.5, n) + 0.05 * vulnerability, 0, 0.9),
        buffer_target=np.clip(buffer_target, 0.05, 10),
        forgetful=rng.beta(1.0, 27.0, n),
        appetite=np.exp(0.5 * rng.standard_normal(n) - 0.125),
        likes_cards=likes_cards,
        borrows_elsewhere=rng.random(n) < 0.4,
        gambler=rng.random(n) < 0.12,
        pays_late=rng.random(n) < PAYS_LATE_SHARE,
        transactor=rng.random(n) < 0.40,
        keeps_card_unused=rng.random(n) < UNUSED_CARD_SHARE,
        rounds_up=rng.random(n) < 0.10,
        ruthless=rng.random(n) < RUTHLESS_SHARE,
        fraudster=fraudster,
        hidden=hidden,
        saves_elsewhere=(rng.random(n) < SAVES_ELSEWHERE_SHARE) & ~hidden,
        salary_day=np.where(rng.random(n) < 0.7, rng.integers(24, 29, n), rng.integers(1, 6, n)),
        rent_share=np.where(rng.random(n) < 0.62, rng.uniform(0.3, 0.55, n), 0.0),
    )


def _joining(n: int, calendar: Calendar, rng: np.random.Generator) -> tuple[Ints, Days]:
    """Month and day of joining, in order: most before the first written month, the others one month like another."""
    when = rng.random(n)
    opening = calendar.first_day(0)
    before = -rng.integers(1, 12 * 365, n)
    burn_in = rng.integers(0, BURN_IN_MONTHS * 30, n)
    months = BURN_IN_MONTHS + rng.integers(0, JOINING_MONTHS, n)
    day = rng.integers(0, 28, n)
    later = (calendar.first_days(months) - opening).astype(np.int64) + day
    joined = np.select([when < OLD_SHARE, when < OLD_SHARE + JOINS_IN_BURN_IN], [before, burn_in], later)
    since = np.sort(opening + joined.astype("timedelta64[D]"))
    since_t = (since.astype("datetime64[M]") - opening.astype("datetime64[M]")).astype(np.int64)
    return since_t, since


def _occupation(gender: Ints, shifted: Bools, u: Floats) -> Ints:
    share = OCCUPATION_SHARE[gender] * np.where(shifted[:, None], SHIFTED_OCCUPATION, 1.0)
    bounds = np.cumsum(share / share.sum(axis=1, keepdims=True), axis=1)
    found: Ints = np.minimum(np.sum(u[:, None] >= bounds, axis=1), len(OCCUPATION) - 1)
    return found


def _employer(occupation: Ints, u: Floats) -> Ints:
    """Return an employer of the customer's sector, a few large and many small; -1 for those who have none."""
    rank = np.floor(EMPLOYERS_PER_SECTOR * u**2.5).astype(np.int64)
    return np.where(occupation < SELF_EMPLOYED, occupation * EMPLOYERS_PER_SECTOR + rank, -1)
