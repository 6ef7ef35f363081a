"""The benchmark of differential privacy, and what the page says is personal."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from scipy import special

from bundlegym.recommenders.gaussian_mechanism import mu_of
from bundlegym.recommenders.testing import small_log
from bundlegym.user_models.choice.parameters import ChoiceParameters

from .test_bundles import script

privacy = script("privacy")


def test_the_shadow_attack_finds_a_planted_trace_and_nothing_else() -> None:
    rng = np.random.default_rng(0)
    member = rng.random((64, 200)) < 0.5
    noise = rng.normal(size=member.shape) + rng.normal(size=200) * 10
    found, low, high = privacy.auc(*privacy.shadow_ratios(noise, member))
    assert low < 0.5 < high
    trace = np.where(np.arange(200) % 2, -2.0, 2.0)  # the sign differs by shopper
    found, low, high = privacy.auc(*privacy.shadow_ratios(noise + member * trace, member))
    assert low < special.ndtr(2 / np.sqrt(2)) < high and found > 0.85


@pytest.mark.parametrize("name", ["popularity", "ease"])
def test_who_knows_all_others_finds_as_much_as_epsilon_allows(name: str) -> None:
    """Rows of this log are all longer than the norm, so everybody's trace is as long as is hidden."""
    log, targets = small_log().training(), np.flatnonzero(small_log().training().n_visits)
    members = np.random.default_rng(0).random((300, log.n_shoppers)) < 0.5
    ratios = [
        privacy.known_others_ratios(name, 4.0, log, member, targets, seed)
        for seed, member in enumerate(members)
    ]
    _, low, high = privacy.auc(np.array(ratios), members[:, targets])
    assert low < special.ndtr(mu_of(4.0, privacy.DELTA) / np.sqrt(2)) < high


def test_auc_by_hand() -> None:
    ratio, member = np.array([[3.0, 1.0], [2.0, 0.0]]), np.array([[True, True], [False, False]])
    assert privacy.area(ratio, member) == 0.75


def test_the_page_names_each_field_of_a_shopper() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "privacy.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(\w+)`", " ".join(re.findall(r"^\|.*\| yes.*$", page, flags=re.MULTILINE))))
    of_shoppers = {name for *_, name, spec in ChoiceParameters.specs() if re.search(r"\b[SM]\b", spec.shape)}
    assert of_shoppers and not of_shoppers - named
