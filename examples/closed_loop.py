"""Offer, measure, learn, offer better: `python examples/closed_loop.py [--small] [options]`.

1. An agent learns on shoppers fitted to a log, under the assumption that an offer is only its discount.
2. The shop makes its offers, with exploration, and holds half of them back at random. The shop is simulated
   by a user model that no step here sees inside: `choice` fitted on the held-out half, to whom an offer is
   more than its discount, as planted by --exposure and --pull.
3. The offer log is read back: the measured gain, and what an offer does beside its discount.
4. An agent learns anew with what was learned (`bundlegym train --offers`), and both are judged by the same
   shop, on the same visits.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from bundlegym.agents.ppo import PPOConfig
from bundlegym.agents.registry import AgentConfigs
from bundlegym.data import DataConfig
from bundlegym.data.files import write_csv, write_json
from bundlegym.envs import EnvConfig
from bundlegym.errors import guarded
from bundlegym.evaluation import pairing, population
from bundlegym.evaluation.config import TrainConfig
from bundlegym.evaluation.experiment import Experiment
from bundlegym.evaluation.field_test.learn import as_text, learn
from bundlegym.evaluation.field_test.learned import learned_numbers
from bundlegym.evaluation.field_test.offer_log import read_offers
from bundlegym.evaluation.field_test.simulate import Randomised, simulate_offers
from bundlegym.evaluation.job import Job
from bundlegym.evaluation.rollout import play
from bundlegym.threads import one_thread
from bundlegym.user_models import UserModel

AGENT, JUDGE_SEED = "ppo", 1_000_003


def trained(config: TrainConfig) -> Experiment:
    """A run whose agents, one a seed, are trained."""
    experiment = Experiment(config)
    for seed in config.all_seeds:
        experiment.train(Job(AGENT, seed, config.exposures[0]))
    return experiment


def judged(experiment: Experiment, shop: UserModel, name: str) -> pairing.Scored:
    """What the agents of a run earn in the shop, episode by episode."""
    config, plays = experiment.config, []
    exposure = config.exposures[0]
    for seed in config.all_seeds:
        core = experiment.core(
            config.episodes,
            held_out=True,
            weeks=experiment.dataset.split.test_weeks,
            seed=0,
            user_model=shop,
        )
        policy = experiment.policy(Job(AGENT, seed, exposure))
        plays.append(play(core, policy, JUDGE_SEED)["incremental_margin_per_visit"])
    return pairing.Scored(name, "learned", np.stack(plays))


def loop(options: argparse.Namespace) -> dict[str, Any]:
    """See the module's docstring; in JSON's own types."""
    data = DataConfig(log=options.log, min_purchases=10, held_out_share=0.5)
    config = TrainConfig(
        agents=(AGENT,), steps=options.steps, seeds=options.seeds, episodes=options.episodes, name="first",
        runs=options.runs, data=data, offer_exposure=(0.0,), judges=("choice",), planner_episodes=0,
        eval_every=options.steps, env=EnvConfig(reward_draws=options.reward_draws),
        hyper=AgentConfigs(ppo=PPOConfig(imitate=options.imitate)),
    )  # fmt: skip
    first = trained(config)
    dataset, weeks = first.dataset, first.dataset.split.test_weeks
    shop = population.judge(first.folder, "choice", config, dataset, first.device)
    shop = shop.under(offer_exposure=options.exposure, bundle_pull=options.pull)

    made = simulate_offers(
        dataset, first.market, shop, first.policy(Job(AGENT, config.seed, 0.0)), weeks,
        env=first.env, how=Randomised(held_back=0.5, explore=options.explore),
        seed=options.seed,
    )  # fmt: skip
    write_csv(options.runs / "offers.csv", made.offers)
    log = read_offers(options.runs / "offers.csv", made.dataset)
    content = learn(made.dataset, log, {}, lambda _: first.user_models[0.0], seed=options.seed)
    write_json(options.runs / "learned.json", content)
    print(f"\n{as_text(content)}\n")

    # An exposure is a share of a model's own mailer effect, and the two models differ in that, too.
    mailer = {
        name: float(model.params.coefficients.mailer)
        for name, model in (("shop", shop), ("learner", first.user_models[0.0]))
    }
    exposure, pull = learned_numbers(options.runs / "learned.json")
    second = trained(
        replace(
            config, name="second", offers=options.runs / "learned.json", offer_exposure=(exposure,),
            bundle_pull=pull,
        )
    )  # fmt: skip
    before, after = judged(first, shop, "first"), judged(second, shop, "second")
    return {
        "planted": {
            "offer_exposure": options.exposure * mailer["shop"] / mailer["learner"],
            "bundle_pull": options.pull,
        },
        "learned": {name: content[name] for name in ("offer_exposure", "bundle_pull")},
        "first": before.gain,
        "second": after.gain,
        "difference": pairing.difference(after, before),
    }


@one_thread()
def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--log", default="synthetic-year", help="a built-in log, or a file (synthetic-year)")
    parser.add_argument("--exposure", type=float, default=1.0, help="planted offer_exposure (1)")
    parser.add_argument("--pull", type=float, default=0.3, help="planted bundle_pull (0.3)")
    parser.add_argument("--explore", type=float, default=0.5, help="share of offers that are explored (0.5)")
    parser.add_argument("--steps", type=int, default=60_000, help="of each agent (60000)")
    parser.add_argument("--imitate", type=int, default=512, help="planned visits it begins with (512)")
    parser.add_argument("--seeds", type=int, default=1, help="agents of each training (1)")
    parser.add_argument("--episodes", type=int, default=2048, help="episodes of the judgement (2048)")
    parser.add_argument("--reward-draws", type=int, default=16, help="as of bundlegym train (16)")
    parser.add_argument("--seed", type=int, default=0, help="of the shop's luck (0)")
    parser.add_argument(
        "--runs", type=Path, default=Path("runs/closed-loop"), help="folder (runs/closed-loop)"
    )
    parser.add_argument("--small", action="store_true", help="a few minutes: a small log, few steps")
    options = parser.parse_args()
    if options.small:
        options.log, options.steps, options.imitate, options.episodes = "synthetic", 20_000, 0, 1024
    content = loop(options)
    write_json(options.runs / "closed_loop.json", content)
    for name, planted in content["planted"].items():
        number = content["learned"][name]
        print(f"{name}: planted {planted:.3f}, learned {number['estimate']:.3f} +-{number['error']:.3f}")
    for name in ("first", "second", "difference"):
        row = content[name]
        title = {"difference": "the second earns more than the first by"}.get(name, f"{name} training earns")
        print(f"{title} {row['mean']:+.4f} [{row['low']:+.4f}, {row['high']:+.4f}] a visit")


if __name__ == "__main__":
    guarded(main)
