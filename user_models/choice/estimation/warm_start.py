"""A fit that goes on from an earlier one: which stages are kept, and under which codes of a longer log.

A longer log has the items of the earlier one first, then new ones, and may have new groups of items, so that
all groups have other codes. What is known by group is carried over by the items that both logs have; a group
that is new gets the mean of all.

What is counted (preferences, habits, prices, rates of visits, sizes of baskets, means of units) is never
carried over: it is counted anew in the longer log. docs/update.md says what rests on what.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from bundlegym.data import Dataset, lines_of, visit_rows
from bundlegym.user_models.choice.config import ChoiceConfig
from bundlegym.user_models.choice.estimation.variants import another_variant, product_lines
from bundlegym.user_models.choice.parameters import ChoiceParameters
from bundlegym.user_models.components.trip_effects import mission_categories

#: Stage of a fit -> name -> tensor.
Stages = dict[str, dict[str, Tensor]]
#: Stage of a fit -> the leaves of it that have other names in `ChoiceParameters`, and these names.
_OTHER_NAMES = {
    "coupons": {"estimate": "coupon_effect"},
    "state_dependence": {"estimate": "state_dependence_share"},
    "wear_out": {"factor": "wear_out"},
}


def earlier_stages(
    earlier: ChoiceParameters,
    dataset: Dataset,
    weeks: tuple[int, int],
    shoppers: np.ndarray,
    config: ChoiceConfig = ChoiceConfig(),
) -> tuple[Stages, Stages]:
    """The stages that are kept, and those that are begun with, for a fit on `weeks` and `shoppers` (mask) of
    a log whose first items are those of the `earlier` fit."""
    leaves = dict(earlier.leaves())
    n = len(earlier.catalogue.category)
    department = groups_before(dataset.department_code, np.arange(n))  # a known item of each
    category = groups_before(
        mission_categories(dataset, weeks, shoppers, config.missions), earlier.catalogue.category.numpy()
    )
    subcategory = groups_before(dataset.subcategory_code, earlier.catalogue.subcategory.numpy())
    lines = product_lines(dataset)
    follow = carried(
        leaves["follow_prob"], groups_before(lines, earlier.variants.product_line.numpy()), axis=0
    )
    leaves |= {
        "price": carried(leaves["price_slope"], department, axis=0),
        "mission_loading": carried(leaves["mission_loading"], category, axis=0),
        "mission_spread": carried(leaves["mission_spread"], category, axis=0),
        "category_level": carried(leaves["category_level"], category, axis=1),
        "synergy": carried(carried(leaves["synergy"], category, axis=0), category, axis=1),
        "substitution": carried(leaves["substitution"], subcategory, axis=0),
        "factor_component": carried(leaves["factor_component"], subcategory, axis=1),
        "size_constants": carried(leaves["size_constants"], subcategory, axis=1),
        "follow_prob": follow,
        **_variants(dataset, weeks, shoppers, lines, follow),
    }
    fitted = ("preferences", "coefficients", "unseen", "missions", "variants", "factors", "hazard", "units")
    kept = {
        stage: leaves | {own: leaves[name] for own, name in _OTHER_NAMES.get(stage, {}).items()}
        for stage in (*fitted, *_OTHER_NAMES)
    }
    return kept, {"sizes": leaves}


def groups_before(now: np.ndarray, before: np.ndarray) -> np.ndarray:
    """(n,) int64 for each group of `now` (I,), the group that its first known item had `before` (I0,), -1
    where it holds new items alone."""
    found = np.full(int(now.max()) + 1, -1)
    groups, first = np.unique(now[: len(before)], return_index=True)
    found[groups] = before[first]
    return found


def carried(table: Tensor, groups: np.ndarray, *, axis: int) -> Tensor:
    """`table` with `groups` (n,) of its `axis` in place of that; the mean over the axis for those that are
    -1."""
    index = torch.from_numpy(groups)
    taken = table.index_select(axis, index.clamp(min=0))
    shape = [1] * table.ndim
    shape[axis] = -1
    return torch.where((index < 0).view(shape), table.mean(axis, keepdim=True), taken)


def _variants(
    dataset: Dataset, weeks: tuple[int, int], shoppers: np.ndarray, lines: np.ndarray, follow: Tensor
) -> dict[str, Tensor]:
    """What the stage of variants finds beside `follow_prob` (P,)."""
    bought = lines_of(dataset, visit_rows(dataset, weeks, shoppers))[0]
    sold = np.bincount(dataset.purchases["item"].to_numpy()[bought], minlength=dataset.n_items) + 0.5
    start = np.searchsorted(np.sort(lines), np.arange(lines.max() + 2))
    return {
        "product_line": torch.from_numpy(lines),
        "product_line_start": torch.from_numpy(start),
        "followers": torch.from_numpy(follow.numpy() * another_variant(lines, sold)).float(),
    }
