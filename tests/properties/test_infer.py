"""Whatever spec is drawn, its tensors give it back: all that a weight can tell, and a plan with just these tensors."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from codecspec import build, infer_spec, load_spec, lower, parse_spec, spec_hash
from codecspec.compiler.plan import Plan
from tests.compiler.inference.manifests import canonical_infos, with_filled_tables
from tests.properties.random_specs import specs
from tests.properties.set_aside import set_aside

EXAMPLES = int(os.environ.get("CODECSPEC_EXAMPLES", "500"))
"""Specs that a property is tried on."""
DRAWN = settings(
    max_examples=EXAMPLES,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example],
    phases=[Phase.explicit, Phase.generate, Phase.shrink],
)


def plan_of(written: Mapping[str, Any]) -> Plan:
    return lower(load_spec(written))


def assert_gives_back(plan: Plan, tensors: Mapping[str, Any]) -> None:
    found = infer_spec(tensors)
    assert found.plan.manifest() == plan.manifest()
    assert set_aside(found.spec) == set_aside(plan.spec)
    for full in (False, True):
        assert spec_hash(lower(parse_spec(found.text(full=full))).spec) == spec_hash(found.spec)


@DRAWN
@given(specs(), st.booleans())
def test_a_drawn_spec_comes_back_but_for_what_no_weight_tells(written: dict[str, Any], filled: bool) -> None:
    plan = plan_of(written)
    infos = canonical_infos(plan)
    assert_gives_back(plan, with_filled_tables(infos) if filled else infos)


@settings(DRAWN, max_examples=max(20, EXAMPLES // 25))
@given(specs())
def test_what_is_built_gives_its_spec_back(written: dict[str, Any]) -> None:
    plan = plan_of(written)
    assert_gives_back(plan, build(plan, device="meta").state_dict())
