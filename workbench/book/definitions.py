"""What bad, good, past due and mature mean in a workspace: `params/definitions.yaml`."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class DpdDefinition(BaseModel):
    """When an arrear counts: above both thresholds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    threshold_absolute: float = Field(ge=0)
    threshold_relative: float = Field(ge=0, lt=1)


class TargetDefinition(BaseModel):
    """What is predicted: bad within the window after the observation date."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    window_months: int = Field(ge=1, le=60)
    bad_dpd: int = Field(ge=1)
    good_below_dpd: int = Field(ge=1)
    distressed_restructuring_is_bad: bool
    probation_months: int = Field(3, ge=0, le=36)
    restructured_probation_months: int = Field(12, ge=0, le=60)
    max_incomplete_share: float = Field(ge=0, le=1)


class Definitions(BaseModel):
    """All definitions of a workspace."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    dpd: DpdDefinition
    target: TargetDefinition
    mature_months: int = Field(ge=1)
