"""Categories of a catalogue that has none but names."""

from __future__ import annotations

import numpy as np
import pandas as pd

from bundlegym.data.name_categories import LEAST_ITEMS, categories_of_names

KINDS = ("jumbo bag", "tea towel", "glass vase", "wall clock", "paper lantern", "cake stand", "oil lamp")
COLOURS = ("red", "blue", "green", "white", "black", "pink", "purple", "grey")


def catalogue(**more: object) -> pd.DataFrame:
    names = [f"{kind} {colour}".upper() for colour in COLOURS for kind in KINDS]
    return pd.DataFrame({"item": np.arange(len(names)), "name": names, **more})


def test_items_whose_names_share_rare_words_are_of_one_subcategory() -> None:
    found, sentence = categories_of_names(catalogue())
    kind = found["name"].str.rsplit(" ", n=1).str[0]
    together = (found["subcategory"].to_numpy()[:, None] == found["subcategory"].to_numpy()) & (
        kind.to_numpy()[:, None] == kind.to_numpy()
    )
    assert together.sum() > 0.8 * len(found) * len(COLOURS)
    assert sentence.startswith("the log has no categories; 1 departments, 1 categories, 7 subcategories")
    assert found.equals(categories_of_names(catalogue())[0])


def test_groups_are_nested_and_called_by_their_words() -> None:
    names = [f"{kind} {a}{b}" for kind in KINDS for a in "abcdefgh" for b in ("lo", "mi", "nu", "po")]
    found, _ = categories_of_names(pd.DataFrame({"item": np.arange(len(names)), "name": names}))
    assert found["category"].nunique() > 1
    for fine, coarse in (("subcategory", "category"), ("category", "department")):
        assert (found.groupby(fine)[coarse].nunique() == 1).all()
    words = set(" ".join(names).split())
    assert {word for label in found["subcategory"] for word in label.split(" #")[0].split()} <= words


def test_what_the_log_says_stays_and_too_little_is_left_alone() -> None:
    given = catalogue(category=["bags"] + [""] * (len(KINDS) * len(COLOURS) - 1))
    for items in (
        given,
        catalogue().drop(columns="name"),
        catalogue().head(LEAST_ITEMS - 1),
        catalogue().assign(name=[f"{n:x}{n}" for n in range(len(KINDS) * len(COLOURS))]),
    ):
        found, sentence = categories_of_names(items)
        assert found is items
        assert sentence == ""


def test_an_item_without_a_name_has_no_category() -> None:
    items = catalogue()
    items.loc[3, "name"] = ""
    found, _ = categories_of_names(items)
    assert found.loc[3, "category"] == ""
    assert (found.drop(index=3)["category"] != "").all()
