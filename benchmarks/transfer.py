"""Does a policy travel? PPO of one shop, and of two, acts in another shop, beside PPO that is trained there.

    python benchmarks/transfer.py --world synthetic --json transfer.json

Each world has three shops: two that a policy comes from (A and C) and the one that it goes to (B).

- synthetic: three made-up shops that are drawn from one truth with different seeds. Items, prices, brands and
  tastes differ; the names of categories are the same.
- complete-journey: the households and the categories of The Complete Journey in three parts each, at random.
  No shop has a household, an item or a category in common with another.

B has a log of its last 1, 4 or 16 weeks before its test weeks: shortlists, features of shoppers and items,
and the user model that agents train on come from these weeks alone. Then held-out shoppers of B are met in
its test weeks. Who judges is `choice`, fitted on held-out shoppers in all weeks before them. An offer works
like a mailer (exposure 1). All play the same episodes with the same luck; intervals (95 %) are over episodes
and over agents' seeds, and differences are paired. The best rule, and its discount, is the one that earns
most in the training weeks of A, or of B.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from stable_baselines3.common.vec_env import VecMonitor

from bundlegym.agents.imitation import Decisions, demonstrate, imitate, joined, replay
from bundlegym.agents.planner import Planner
from bundlegym.agents.ppo import PPOConfig, make_ppo
from bundlegym.data import DataConfig, Dataset, build_dataset, synthetic_dataset
from bundlegym.data.complete_journey import load_complete_journey
from bundlegym.data.files import write_json
from bundlegym.data.support import deepest_discount
from bundlegym.envs import BundleCore, BundleVecEnv, EnvConfig, Market, build_market
from bundlegym.envs.base import GAIN
from bundlegym.envs.side_by_side import SideBySide
from bundlegym.errors import UserError, guarded
from bundlegym.evaluation.baselines import Contender, gain, heuristics
from bundlegym.evaluation.pairing import Scored, difference
from bundlegym.evaluation.rollout import play
from bundlegym.evaluation.training import learned, shared_out
from bundlegym.recommenders.carried_vectors import carried_vectors
from bundlegym.terminal import remark
from bundlegym.threads import one_thread
from bundlegym.user_models import ChoiceShopper

WEEKS = (1, 4, 16)
GAMMA, N_ENVS, DRAWS = 0.85, 128, 8
JUDGE_SEED, SHOWN_SEED = 1_000_003, 3_000_017
ENV = EnvConfig(visits=4, discounts=(0.0, 0.05, 0.1, 0.2))
#: What the table calls PPO that is trained in B, and nowhere else.
SCRATCH = "trained in B"


@dataclass(frozen=True)
class Shop:
    """A shop as its agents see it: the log, what the shop knows, and who reacts, fitted on its training
    weeks; None where these are too few for a fit."""

    dataset: Dataset
    market: Market
    user_model: ChoiceShopper | None

    @property
    def vectors(self) -> np.ndarray:
        """(I, E) of the items."""
        return self.market.item_features[:, 1:].numpy()

    def seen_from(self, other: Shop) -> Shop:
        """The same shop, its items with the vectors of another's."""
        vectors = carried_vectors(other.vectors, other.dataset.items, self.dataset.items)
        return replace(self, market=build_market(self.dataset, embeddings=vectors))

    def core(self, n: int, seed: int, draws: int = 1) -> BundleCore:
        """A simulator of training shoppers in the training weeks."""
        assert self.user_model is not None
        split = self.dataset.split
        return BundleCore(
            self.market, self.user_model, replace(ENV, reward_draws=draws), n=n,
            shoppers=np.flatnonzero(~split.held_out), weeks=split.train_weeks, seed=seed,
        )  # fmt: skip


def synthetic_shops() -> list[Dataset]:
    """A, C and B of the world `synthetic`."""
    return [synthetic_dataset(seed, n_shoppers=400, n_weeks=40, base=-4.4) for seed in (1, 2, 3)]


def parts_of_complete_journey() -> list[Dataset]:
    """A, C and B of the world `complete-journey`."""
    log, rng = load_complete_journey(), np.random.default_rng(0)
    assert log.items is not None
    known = log.items.set_index("item")["category"].astype(str)
    category = log.transactions["item"].map(known).fillna("")
    of_category, of_shopper = (_thirds(values, rng) for values in (category, log.transactions["shopper"]))
    shops = []
    for third in range(3):
        lines = log.transactions[(of_category == third) & (of_shopper == third)]
        part = replace(log, name=f"third {third + 1}", transactions=lines, campaigns=None)
        shops.append(build_dataset(part, DataConfig(log="complete-journey")))
    return shops


def _thirds(values: pd.Series, rng: np.random.Generator) -> np.ndarray:
    """(P,) the third, 0 to 2, that each line's value is in; a value is in one alone."""
    codes, names = pd.factorize(values)
    return (rng.permutation(len(names)) % 3)[codes]


WORLDS: dict[str, Callable[[], list[Dataset]]] = {
    "synthetic": synthetic_shops,
    "complete-journey": parts_of_complete_journey,
}


def shop_with(dataset: Dataset, weeks: int | None = None) -> Shop:
    """A shop whose log begins so many weeks before its test weeks; by default as it is."""
    end = dataset.split.validation_weeks[1]
    split = replace(dataset.split, train_weeks=(0 if weeks is None else end - weeks, end))
    dataset = replace(dataset, split=split)
    try:
        model = ChoiceShopper.fit(dataset, offer_exposure=1.0, progress=lambda _: None)
    except UserError as error:
        remark(str(error))
        model = None
    return Shop(dataset, build_market(dataset), model)


def shown_in(shop: Shop, visits: int) -> Callable[[int], Decisions]:
    """What the planner does at visits of training shoppers; the orders of items by a seed."""
    n = -(-visits // ENV.visits)
    assert shop.user_model is not None
    shown = demonstrate(shop.core(n, SHOWN_SEED), Planner(shop.user_model), _Bar)
    return lambda seed: replay(shop.core(n, SHOWN_SEED, DRAWS), shown, GAMMA, seed)


class _Bar:
    """A progress bar that shows nothing."""

    def __init__(self, total: int) -> None:
        pass

    def update(self, n: int) -> None:
        pass

    def close(self) -> None:
        pass


def agent(shops: Sequence[Shop], seed: int) -> Any:
    """A fresh PPO that meets the shoppers of these shops."""
    views = [
        BundleVecEnv(shop.core(n, seed, DRAWS))
        for shop, n in zip(shops, shared_out(N_ENVS, len(shops)), strict=True)
    ]
    config = PPOConfig(n_steps=16, batch_size=1024)
    return make_ppo(VecMonitor(SideBySide(views)), config, gamma=GAMMA, seed=seed)


def trained(shops: Sequence[Shop], shown: Sequence[Callable[[int], Decisions]], steps: int, seed: int) -> Any:
    """PPO that begins as the planner of these shops."""
    model = agent(shops, seed)
    imitate(model, joined([each(seed) for each in shown]), seed=seed)
    return model.learn(steps)


def gone_on(source: Any, shop: Shop, steps: int, seed: int) -> Any:
    """PPO that begins as another shop's, and learns in this one."""
    model = agent([shop], seed)
    model.policy.load_state_dict(source.policy.state_dict())
    return model.learn(steps)


def scored(shop: Shop, judge: ChoiceShopper, rival: Contender, episodes: int) -> Scored:
    """What a policy earns by the judge, by seed and episode."""
    split = shop.dataset.split
    sums = []
    for policy in rival.policies:
        core = BundleCore(
            shop.market, judge, ENV, n=episodes, shoppers=np.flatnonzero(split.held_out),
            weeks=split.test_weeks, seed=JUDGE_SEED,
        )  # fmt: skip
        sums.append(play(core, policy, JUDGE_SEED)[GAIN])
    return Scored(rival.name, rival.kind, np.stack(sums))


def best_rule(shop: Shop, name: str) -> Contender:
    """The rule that earns most with a shop's training shoppers in its training weeks."""
    core = shop.core(512, 0)
    best = max(heuristics(core, {}), key=lambda rule: gain(core, rule.policies[0]))
    return replace(best, name=f"best rule {name}, {best.name}")


def of_agents(name: str, models: Sequence[Any]) -> Contender:
    return Contender(name, "learned", [learned(model) for model in models])


def rows(
    world: str, weeks: Sequence[int], seeds: int, steps: int, visits: int, episodes: int
) -> list[dict[str, Any]]:
    """See the module's docstring."""
    began = time.process_time()
    a, c, whole = (shop_with(dataset) for dataset in WORLDS[world]())
    c_from_a = c.seen_from(a)
    deepest = min(deepest_discount(shop.dataset, shop.dataset.split.train_weeks) for shop in (a, c, whole))
    assert max(ENV.discounts) <= deepest, f"the logs know discounts of {deepest:.0%} at most"
    judge = ChoiceShopper.fit(
        whole.dataset, shoppers=whole.dataset.split.held_out, offer_exposure=1.0, progress=lambda _: None
    )
    _tell(began, "shops, user models and judge")
    of_a, of_c = shown_in(a, visits), shown_in(c_from_a, visits // 2)
    half_a = shown_in(a, visits // 2)
    from_a = [trained([a], [of_a], steps, seed) for seed in range(seeds)]
    from_both = [trained([a, c_from_a], [half_a, of_c], steps, seed) for seed in range(seeds)]
    rule_of_a = best_rule(a, "of A")
    _tell(began, "agents of A, and of A and C")
    found = []
    for of_log in weeks:
        own = shop_with(whole.dataset, of_log)
        seen = own.seen_from(a)
        score = partial(scored, judge=judge, episodes=episodes)
        by = [
            score(seen, rival=of_agents("of A", from_a)),
            score(seen, rival=of_agents("of A and C", from_both)),
            score(own, rival=of_agents("of A, vectors of B", from_a)),
            score(own, rival=rule_of_a),
        ]
        if own.user_model is not None:
            shown = shown_in(own, visits)
            here = [trained([own], [shown], steps, seed) for seed in range(seeds)]
            by.append(score(own, rival=of_agents(SCRATCH, here)))
            for name, sources in (("of A", from_a), ("of A and C", from_both)):
                on = [gone_on(source, seen, steps, seed) for seed, source in enumerate(sources)]
                by.append(score(seen, rival=of_agents(f"{name}, then trained in B", on)))
            planner = Contender("planner of B", "planner", [Planner(own.user_model)])
            by.append(scored(own, judge, planner, episodes // 4))
            by.append(score(own, rival=best_rule(own, "of B")))
        found += [_row(of_log, one, by) for one in by]
        _tell(began, f"{of_log} weeks of B")
    return found


def _row(weeks: int, one: Scored, by: Sequence[Scored]) -> dict[str, Any]:
    row: dict[str, Any] = {"weeks": weeks, "policy": one.policy, "seeds": one.seeds, "gain": one.gain}
    for other in by:
        if other.policy == SCRATCH and other is not one:
            row["over_trained_in_b"] = difference(one, other)
    return row


def _tell(began: float, what: str) -> None:
    remark(f"{time.process_time() - began:6.0f} CPU seconds: {what}")


def in_words(row: dict[str, Any]) -> str:
    """A line of a Markdown table."""
    cells = [_interval(row[name]) if name in row else "" for name in ("gain", "over_trained_in_b")]
    return f"| {row['weeks']} | {row['policy']} | {' | '.join(cells)} |"


def _interval(figure: dict[str, float]) -> str:
    return f"{figure['mean']:+.4f} [{figure['low']:+.4f}, {figure['high']:+.4f}]"


@one_thread()
def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--world", choices=list(WORLDS), default="synthetic")
    parser.add_argument("--weeks", type=int, nargs="+", default=WEEKS, help="of B's log (1 4 16)")
    parser.add_argument("--seeds", type=int, default=3, help="agents of each kind (3)")
    parser.add_argument(
        "--steps", type=int, default=60_000, help="that each agent learns from in a shop (60000)"
    )
    parser.add_argument(
        "--imitate", type=int, default=1024, help="visits of the planner that agents begin with"
    )
    parser.add_argument("--episodes", type=int, default=2048, help="behind each row (2048)")
    parser.add_argument("--json", type=Path, help="file for the figures")
    options = parser.parse_args()
    found = rows(
        options.world, options.weeks, options.seeds, options.steps, options.imitate, options.episodes
    )
    print("| weeks of B's log | PPO | gain a visit, by B's judge | over trained in B |\n|---|---|---|---|")
    print("\n".join(map(in_words, found)))
    if options.json is not None:
        write_json(options.json, {"world": options.world, "rows": found})


if __name__ == "__main__":
    guarded(main)
