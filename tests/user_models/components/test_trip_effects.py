"""Missions tell large subcategories of a category apart and leave small ones together."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from bundlegym.user_models.components.trip_effects import shares_by_category


def test_a_large_subcategory_is_a_category_of_its_own(dataset):
    items = dataset.items.copy()
    everyone, weeks = np.ones(dataset.n_shoppers, dtype=bool), dataset.split.train_weeks
    bought = dataset.purchases["item"].value_counts().reindex(range(dataset.n_items), fill_value=0)
    first = items["category"] == items["category"].iloc[0]
    most, few = bought[first].idxmax(), bought[first].nsmallest(2).index
    items["subcategory"] = items["category"]  # all of its category is none of its own
    items.loc[most, "subcategory"] = "most of all"
    items.loc[few, "subcategory"] = ["hardly any", "hardly any either"]
    category = shares_by_category(_rarely(replace(dataset, items=items), few), weeks, everyone).category
    rest = category[first & ~items.index.isin([most, *few])]
    assert len(np.unique(rest)) == 1 and category[most] != rest[0]
    assert category[few[0]] == category[few[1]] and category[few[0]] not in (category[most], rest[0])
    assert len(np.unique(category)) == items["category"].nunique() + 2


def _rarely(dataset, items):
    """A log in which some items are bought once."""
    purchases = dataset.purchases
    again = purchases["item"].isin(items) & purchases["item"].duplicated()
    return replace(dataset, purchases=purchases[~again].reset_index(drop=True))
