"""Who the customers are: standing attributes, and the latent traits that nothing but `truth/` ever shows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from workbench.book.simulation.world import BURN_IN_MONTHS, Bools, Calendar, Days, Draw, Floats, Ints, Stream

# All shares and effects below are house choices, ordered as in published household surveys (income rises with
# education; the self-employed earn less evenly; construction and retail feel a downturn more than the public sector).
EDUCATION = ("primary", "secondary", "vocational", "bachelor", "master")
EDUCATION_SHARE = (0.10, 0.32, 0.26, 0.22, 0.10)
EDUCATION_LOG_INCOME = np.array([-0.25, -0.08, 0.0, 0.22, 0.42])
EDUCATION_VULNERABILITY = np.array([0.25, 0.10, 0.0, -0.15, -0.25])

OCCUPATION = ("public", "industry", "retail", "services", "construction", "transport", "self_employed", "retired")
OCCUPATION_SHARE = (0.16, 0.18, 0.15, 0.19, 0.08, 0.07, 0.10, 0.07)
OCCUPATION_LOG_INCOME = np.array([0.05, 0.06, -0.15, 0.0, 0.0, -0.05, 0.08, -0.30])
OCCUPATION_VULNERABILITY = np.array([-0.35, 0.0, 0.15, 0.0, 0.2, 0.1, 0.2, -0.3])
OCCUPATION_CYCLE = np.array([0.2, 1.1, 1.3, 0.9, 1.6, 1.1, 1.3, 0.1])
"""How strongly a sector feels the downturn (1 = the average sector)."""
OCCUPATION_VOLATILITY = np.array([0.02, 0.06, 0.08, 0.05, 0.12, 0.08, 0.30, 0.01])
"""Standard deviation of log income from month to month."""
SELF_EMPLOYED, RETIRED = 6, 7

GENDER = ("female", "male")
MARITAL = ("single", "married", "divorced", "widowed")
REGION = ("north", "northeast", "east", "southeast", "south", "southwest", "west", "capital")
REGION_SHARE = (0.10, 0.08, 0.12, 0.10, 0.13, 0.10, 0.14, 0.23)
REGION_VULNERABILITY = np.array([0.0, 0.15, 0.1, 0.0, 0.0, 0.1, -0.05, -0.1])
BRANCHES_PER_REGION = 3

MEDIAN_INCOME = 2_300.0
"""Net, EUR a month: house choice."""
HIDDEN_ACCOUNT_SHARE = 0.22
"""Customers whose main account is with another bank: their transactions here show next to nothing."""


@dataclass(frozen=True)
class Population:
    """Standing attributes and traits, one entry a customer (n,)."""

    birth: Days
    gender: Ints
    marital: Ints
    education: Ints
    occupation: Ints
    region: Ints
    branch: Ints
    employed_since: Days
    since: Days
    income: Floats  # EUR a month at the first burn-in month
    vulnerability: Floats
    volatility: Floats
    need_share: Floats  # needs over income
    fun_share: Floats  # planned discretionary spending over income
    impulse: Floats  # share of the discretionary plan that is spent before dues are paid
    buffer_target: Floats  # savings aimed at, in months of income
    forgetful: Floats  # chance a month that a manual payment is forgotten
    appetite: Floats  # for loans
    borrows_elsewhere: Bools
    gambler: Bools
    transactor: Bools
    hidden: Bools
    salary_day: Ints
    rent_share: Floats  # of needs

    @property
    def size(self) -> int:
        """Number of customers."""
        return len(self.income)


def draw_population(customers: int, calendar: Calendar, draw: Draw) -> Population:
    """Return `customers` people; `income` and `vulnerability` follow from education, occupation, region and chance."""
    rng = draw(Stream.POPULATION)
    n = customers
    education = rng.choice(len(EDUCATION), n, p=EDUCATION_SHARE)
    occupation = rng.choice(len(OCCUPATION), n, p=OCCUPATION_SHARE)
    region = rng.choice(len(REGION), n, p=REGION_SHARE)
    age = np.where(occupation == RETIRED, rng.uniform(61, 76, n), 20 + 42 * rng.beta(1.6, 1.9, n))
    gender = rng.integers(0, 2, n)
    divorced = np.clip((age - 28) / 150, 0, 0.2)
    u = rng.random(n)
    married = u < np.clip((age - 20) / 35, 0, 0.62)
    marital = np.select([married, u > 1 - divorced, (u > 0.72) & (age > 62)], [1, 2, 3], default=0)

    opening = calendar.first_day(0)
    known_before = rng.random(n) < 0.7
    joined = np.where(known_before, -rng.integers(0, 12 * 365, n), rng.integers(0, (BURN_IN_MONTHS - 1) * 30, n))
    since = opening + joined.astype("timedelta64[D]")
    birth = opening - (age * 365.25).astype("timedelta64[D]")
    worked_days = rng.random(n) * np.clip(age - 19, 0.2, 25) * 365
    employed_since = np.minimum(opening, since) - worked_days.astype("timedelta64[D]")

    vulnerability = (
        rng.standard_normal(n)
        + EDUCATION_VULNERABILITY[education]
        + OCCUPATION_VULNERABILITY[occupation]
        + REGION_VULNERABILITY[region]
        - 0.25 * np.clip((age - 42) / 14, -1.5, 1.5)
    )
    log_income = (
        EDUCATION_LOG_INCOME[education]
        + OCCUPATION_LOG_INCOME[occupation]
        + 0.12 * np.clip((age - 35) / 15, -1, 1)
        - 0.07 * (gender == 0)
        + 0.30 * rng.standard_normal(n)
    )
    buffer_target = np.exp(-0.1 - 0.45 * vulnerability + 0.75 * rng.standard_normal(n))
    return Population(
        birth=birth,
        gender=gender,
        marital=marital.astype(np.int64),
        education=education,
        occupation=occupation,
        region=region,
        branch=region * BRANCHES_PER_REGION + rng.integers(0, BRANCHES_PER_REGION, n),
        employed_since=employed_since,
        since=since,
        income=np.maximum(850.0, MEDIAN_INCOME * np.exp(log_income)),
        vulnerability=vulnerability,
        volatility=OCCUPATION_VOLATILITY[occupation] * rng.uniform(0.6, 1.4, n),
        need_share=np.clip(0.52 + 0.03 * vulnerability + 0.06 * rng.standard_normal(n), 0.35, 0.72),
        fun_share=np.clip(0.24 + 0.05 * rng.standard_normal(n), 0.08, 0.4),
        impulse=np.clip(rng.beta(1.5, 3.5, n) + 0.05 * vulnerability, 0, 0.9),
        buffer_target=np.clip(buffer_target, 0.05, 10),
        forgetful=rng.beta(1.0, 45.0, n),
        appetite=np.exp(0.5 * rng.standard_normal(n) - 0.125),
        borrows_elsewhere=rng.random(n) < 0.4,
        gambler=rng.random(n) < 0.12,
        transactor=rng.random(n) < 0.45,
        hidden=rng.random(n) < HIDDEN_ACCOUNT_SHARE,
        salary_day=np.where(rng.random(n) < 0.7, rng.integers(24, 29, n), rng.integers(1, 6, n)),
        rent_share=np.where(rng.random(n) < 0.62, rng.uniform(0.3, 0.55, n), 0.0),
    )
