"""Another simulator's choice model as shoppers: topic affinity with boredom, as in SARDINE and RecSim.

The model, after SARDINE (Deffayet et al. 2024, "SARDINE: a simulator for automated recommendation in dynamic
and interactive environments") and RecSim's interest evolution (Ie et al. 2019): an item is of one topic, a
shopper has an affinity for each; an item is clicked with probability sigmoid(slope (affinity - offset));
whoever consumes a topic `bored_after` times within `memory` visits is bored of it for `bored_for` visits, its
affinity being zero. Here topics are the log's categories and affinities the root of the shopper's share of
them, scaled to a most of 1.

This file wraps it: what was clicked of an offer is bought; a bundle whose every item is clicked is taken
whole. Its numbers are made up, not estimated: see what an agent learns on it, and judge it on others.

    python -m bundlegym train --user-model boredom_shopper:BoredomShopper --user-model-args bored_after=3
"""

import numpy as np

from bundlegym.user_models import Answer


class TopicBoredom:
    """The choice model alone, as that simulator would have it.

    Args:
        topic: (I,) topic of each item.
        slope, offset, memory, bored_after, bored_for: see above.
    """

    def __init__(self, topic, slope=10.0, offset=0.65, memory=5, bored_after=4, bored_for=3):
        self.topic, self.slope, self.offset = topic, slope, offset
        self.memory, self.bored_after, self.bored_for = memory, bored_after, bored_for

    def click_probability(self, affinity, bored, items):
        """(len(items),) for affinities (T,) and visits of boredom left (T,)."""
        topic = self.topic[list(items)]
        score = np.where(bored[topic] > 0, 0.0, affinity[topic])
        return 1 / (1 + np.exp(-self.slope * (score - self.offset)))

    def after(self, recent, bored, clicked):
        """Counts of the last visits (memory, T) and boredom (T,) once items were clicked."""
        now = np.bincount(self.topic[list(clicked)], minlength=recent.shape[1])
        recent = np.vstack([recent[1:], now])
        starts = (bored == 0) & (recent.sum(0) >= self.bored_after)
        return recent, np.where(starts, self.bored_for, np.maximum(bored - 1, 0))


class BoredomShopper:
    """`TopicBoredom` under bundlegym's contract of a plain shopper."""

    def __init__(self, dataset, organic=3, fair_discount=0.05, **model):
        names, topic = np.unique(dataset.items["category"].astype(str), return_inverse=True)
        self.model, self.n_topics = TopicBoredom(topic, **model), len(names)
        self.organic, self.fair_discount = organic, fair_discount
        visits = dataset.visits[dataset.visits["week"] < dataset.split.train_weeks[1]]
        lines = dataset.purchases.join(visits["shopper"], on="visit", how="inner")
        counts = np.ones((dataset.n_shoppers, self.n_topics))
        np.add.at(counts, (lines["shopper"].to_numpy(), topic[lines["item"].to_numpy()]), 1)
        self.affinity = np.sqrt(counts / counts.max(1, keepdims=True))
        popularity = np.bincount(lines["item"], minlength=dataset.n_items) + 1.0
        self.popularity = popularity / popularity.sum()

    def reset(self, shopper, day):
        return {
            "recent": np.zeros((self.model.memory, self.n_topics), dtype=np.int64),
            "bored": np.zeros(self.n_topics, dtype=np.int64),
        }

    def respond(self, state, visit, luck):
        # First what does not depend on the offer, so that the twin has the same luck.
        shelf = luck.choice(len(self.popularity), self.organic, p=self.popularity).tolist()
        own, offered = luck.random(self.organic), luck.random(len(visit.offer))
        affinity = self.affinity[visit.shopper]

        def clicked(items, draws):
            chance = self.model.click_probability(affinity, state["bored"], items)
            return [item for item, p, u in zip(items, chance, draws, strict=True) if u < p]

        wanted = set(clicked(shelf, own))
        likes = clicked(visit.offer, offered) if visit.offer else []
        take = len(likes) == len(visit.offer) > 0 and visit.discount >= self.fair_discount
        bought = wanted - set(visit.offer) if take else wanted | set(likes)
        state["recent"], state["bored"] = self.model.after(
            state["recent"], state["bored"], bought | set(visit.offer if take else ())
        )
        return Answer(take, {item: 1 for item in sorted(bought)}, days=7)
