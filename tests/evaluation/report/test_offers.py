"""Who is offered what: each discount in each third of shoppers, a column a policy."""

from __future__ import annotations

import dataclasses

import numpy as np
import torch

from bundlegym.evaluation.report.offers import Made, _by_level_and_segment, deal_thirds


def made(discount: list[float], none: set[int]) -> Made:
    """An offer of items 1 and 2 to each of so many shoppers, but for those of `none`."""
    n = len(discount)
    items = np.array([[-1, -1] if i in none else [1, 2] for i in range(n)])
    return Made(np.arange(n), np.zeros(n, dtype=int), items, np.array(discount))


def test_each_discount_in_each_third_of_shoppers():
    agent, planner = made([0.1, 0.1, 0.0, 0.2], {2}), made([0.2, 0.0, 0.0, 0.2], {1, 2})
    third = np.array([0, 0, 1, 1])
    table = _by_level_and_segment(
        {"ppo": agent, "planner": planner}, [0.1, 0.2], third, ("low", "middling", "high"), "what they buy"
    )
    assert table.columns == [
        "Discount", "Low: ppo", "Low: planner", "Middling: ppo", "Middling: planner", "High: ppo",
        "High: planner",
    ]  # fmt: skip
    rows = [[cell.replace("\N{NO-BREAK SPACE}", " ") for cell in row] for row in table.rows]
    assert [row[1:] for row in rows] == [
        ["0 %", "50 %", "50 %", "50 %", "–", "–"],
        ["100 %", "0 %", "0 %", "0 %", "–", "–"],
        ["0 %", "50 %", "50 %", "50 %", "–", "–"],
    ]


def test_thirds_of_deals_follow_the_share_bought_on_deal(market):
    third, column = deal_thirds(market), market.profile_names.index("deal_share")
    deals = market.profile[:, column].numpy()
    assert third is not None and set(third) == {0, 1, 2}
    assert deals[third == 0].max() <= deals[third == 1].min() <= deals[third == 1].max()
    alike = market.profile.clone()
    alike[:, column] = torch.zeros(len(alike))
    assert deal_thirds(dataclasses.replace(market, profile=alike)) is None
