"""How much a purchase satiates a subcategory: g of `reference.substitution`, by simulated moments.

It is found in weeks that preferences have not seen: in those that they were counted in, shortlists hold the
very items that met in a basket, and pairs say nothing. exp(g) of a subcategory is the number of its pairs of
substitutes met in the log as a share of those that simulations without g would hold, shrunk to that of all
subcategories. Pairs with both off the shortlist do not count, since nothing is said of them. Of substitutes
that are bought together g is 0. Liking of a whole subcategory that the model has not learned makes more pairs
meet, so it hides a part of g and adds none.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch

from bundlegym.recommenders.shortlist_slots import slots_of
from bundlegym.user_models.choice.parameters import ChoiceParameters
from bundlegym.user_models.config import Config, Count, Negative, Positive


@dataclass(frozen=True)
class SubstitutionConfig(Config):
    """Hyper-parameters of `SubstitutionMoment`."""

    steps: Count = 5
    """Steps of simulated moments."""

    pairs: Positive = 10.0
    """Pairs of lines: weight of all subcategories' share in that of each, and of no effect in that of all."""

    least: Negative = -3.0
    """g at least, a log rate: a twentieth, for fewer than that no count of pairs tells apart."""


class SubstitutionMoment:
    """g of each subcategory, with which a simulation holds as many pairs of substitutes as a `panel` of the
    log in weeks that preferences have not seen; with few pairs to go by, as many as all subcategories
    together say."""

    def __init__(
        self,
        params: ChoiceParameters,
        panel: pd.DataFrame,
        config: SubstitutionConfig = SubstitutionConfig(),
    ) -> None:
        self.config, self.simulations = config, (1,) * config.steps
        self.real, self.usual = _pairs(panel, params)
        self.simulated, self.kept = np.zeros_like(self.real), np.zeros_like(self.real)
        self.g = np.zeros(len(self.real), dtype=np.float32)

    def start(self, params: ChoiceParameters) -> ChoiceParameters:
        return params.changed(substitution=torch.from_numpy(self.g))

    def update(self, params: ChoiceParameters, panels: list[pd.DataFrame], step: int) -> ChoiceParameters:
        pairs, by_chance = _pairs(panels[0], params)
        weight = (step + 1) ** 2  # of the first little, for where g is far off, so are lines
        self.simulated += weight * pairs * self.usual / by_chance
        self.kept += weight * np.exp(self.g)
        free = self.simulated / self.kept  # what one simulation would hold without g
        prior = self.config.pairs
        overall = (self.real.sum() + prior) / (free.sum() + prior)
        g = np.log((self.real + prior * overall) / (free + prior)).clip(self.config.least, 0.0)
        self.g = g.astype(np.float32)
        return params.changed(substitution=torch.from_numpy(self.g))


def _pairs(panel: pd.DataFrame, p: ChoiceParameters) -> tuple[np.ndarray, np.ndarray]:
    """(G,) pairs of substitutes in the baskets of a panel, but for those with both off the shortlist; and
    (G,) what such pairs are in proportion to: the square of the subcategory's share of lines, and pairs of
    different subcategories."""
    group, product = p.catalogue.subcategory.numpy(), p.variants.product_line.numpy()
    group_of = np.zeros(product.max() + 1, dtype=np.int64)
    group_of[product] = group
    shortlist, item = p.shortlists.shortlist.numpy(), panel["item"].to_numpy()
    short = slots_of(shortlist, panel["shopper"].to_numpy(), item, len(group)) >= 0
    alike, one_group, every = (
        _pairs_by(panel, code, short) for code in (product, group, np.zeros_like(group))
    )
    share = (np.bincount(group[item], minlength=len(one_group)) + 1.0) / len(item)
    return one_group - np.bincount(group_of, alike), share**2 * (every.sum() - one_group.sum() + 1.0)


def _pairs_by(panel: pd.DataFrame, code: np.ndarray, short: np.ndarray) -> np.ndarray:
    """(max(code) + 1,) pairs of lines of one code (I,) in a basket, of which one at least is `short` (P,)."""
    lines = pd.DataFrame({"visit": panel["visit"], "code": code[panel["item"]], "off": ~short})
    held = lines.groupby(["visit", "code"])["off"].agg(["size", "sum"]).reset_index("code")
    pairs = held["size"] * (held["size"] - 1) / 2 - held["sum"] * (held["sum"] - 1) / 2
    return np.bincount(held["code"], pairs, minlength=int(code.max()) + 1)
