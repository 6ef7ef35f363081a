"""Shoppers by a rule, in 15 lines; from the folder of this file:

    python -m bundlegym train --user-model rule_shopper:RuleShopper

Each has ten favourites, buys them about weekly, and takes a bundle that holds one at a fair discount.
"""

import numpy as np

from bundlegym.user_models import Answer


class RuleShopper:
    def __init__(self, dataset, fair_discount=0.1):
        visits = dataset.visits[dataset.visits["week"] < dataset.split.train_weeks[1]]
        lines = dataset.purchases.join(visits["shopper"], on="visit", how="inner")
        favourites = lines.groupby("shopper")["item"].apply(lambda i: list(i.value_counts().index[:10]))
        self.favourites = favourites.to_dict()
        self.fair_discount = fair_discount

    def reset(self, shopper, day):
        return {"last": np.full(10, day - 7)}  # when each favourite was last bought

    def respond(self, state, visit, luck):
        mine = self.favourites.get(visit.shopper, [])
        due = luck.random(10) < (visit.day - state["last"]) / 14
        wanted = {item: 1 for item, now in zip(mine, due, strict=False) if now}
        take = visit.discount >= self.fair_discount and any(item in wanted for item in visit.offer)
        state["last"][due] = visit.day
        return Answer(take, {i: u for i, u in wanted.items() if not (take and i in visit.offer)}, days=7)
