"""A mechanism that is left out does nothing, and the table says what its absence costs."""

from __future__ import annotations

import pytest

from bundlegym.errors import UserError
from bundlegym.evaluation.fidelity.ablation import ablate, as_text
from bundlegym.evaluation.fidelity.command import FidelityConfig
from bundlegym.user_models import ChoiceShopper
from bundlegym.user_models.choice.estimation.mechanisms import MECHANISMS


def test_a_model_without_any_mechanism_has_no_effect_of_one(dataset, few_steps) -> None:
    params = ChoiceShopper.fit(dataset, epochs=1, without=tuple(MECHANISMS), progress=lambda _: None).params
    none = (
        "attribute_taste", "mission_loading", "mission_spread", "synergy",
        "substitution", "size_constants", "explore_level", "explore_spread", "follow_prob",
        "frailty", "hazard_irregular", "regular_quantity", "quantity_by_size", "trial_weight",
        "coupon_utility", "habit_prob", "competitor_discount", "recency_of_subcategory", "recency_of_new",
        "price_by_deal_share",
    )  # fmt: skip
    leaves = dict(params.leaves())
    assert [name for name in none if leaves[name].any()] == []
    assert (params.coefficients.promotion_sensitivity == 1).all() and (params.marketing.wear_out == 1).all()
    assert params.shortlists.log_preference.isfinite().all()


def test_an_unknown_mechanism_is_named(dataset) -> None:
    with pytest.raises(UserError, match="unknown mechanism 'magic'; known are needs, preference_selection"):
        ChoiceShopper.fit(dataset, without=("magic",))


def test_what_absence_costs_is_told_beside_the_same_seed() -> None:
    def row(without: str, seed: int, nll: float) -> dict:
        figures = {"nll": nll, "ks a": 0.9, "lift": 0.1, "lift of items": 0.2, "auc b": 0.6, "rate r": 1.0}
        return {"without": without, "seed": seed, **figures, "cpu_s": 1.0, "lines": 3}

    text = as_text([row("", 0, 7.0), row("", 1, 7.2), row("recency", 0, 7.5), row("trend", 0, 7.1)])
    lines = {line.split("  ")[0]: line for line in text.splitlines()}
    assert "+0.5000*" in lines["without recency"] and "+0.1000 " in lines["without trend"]


def test_a_file_of_something_else_is_left_alone(dataset, tmp_path) -> None:
    file = tmp_path / "figures.json"
    file.write_text('{"log": "another"}', encoding="utf-8")
    with pytest.raises(UserError, match="figures.json: holds no ablation of synthetic"):
        ablate(dataset, kept=file)


@pytest.mark.parametrize("option", [{"check": True}, {"sweep": True}, {"seed": 1}, {"user_model": "replay"}])
def test_what_an_ablation_does_not_do_is_refused(option) -> None:
    with pytest.raises(UserError, match="--ablate fits choice with seeds of its own and takes no --"):
        FidelityConfig(ablate=(), **option)
