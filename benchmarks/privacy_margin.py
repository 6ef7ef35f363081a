"""What differential privacy costs in margin: offers of candidates that a private recommender chooses.

    python benchmarks/privacy_margin.py --name NAME --seeds 5 [--json FILE] [--picture FILE]

and further options of bundlegym train. A recommender is learned from shoppers who are not held out, in
the training weeks, with noise or without ("none"), with its usual hyper-parameters otherwise, and its
best items become candidates, as `--candidates` does. Of these the planner makes offers at the first
visits of episodes of held-out shoppers in the test weeks. It is asked in place of an agent since it has
no luck of training, and agents earn what it earns on the default log; `--agent ppo` trains agents.

The gain of an offer is its mean over fresh draws of luck, the same for all, by a judge that is fitted on
held-out shoppers; an offer works like a mailer unless `--offer-exposure` says otherwise. A seed is a draw of
the noise, and of an agent's training. Intervals (95 %) are over visits, and over seeds where there are
several; the difference to no noise is paired by visit. Seeds are known here, so no recommender of this
benchmark is private.

Beside them stand candidates of no recommender (what each shopper most likely buys), the same by rank
(`frequency`), and EASE of as few items as the private one.

What is offered is kept below the run, and the same command goes on where it stopped.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from bundlegym.agents.base import Policy
from bundlegym.agents.planner import Planner
from bundlegym.agents.registry import AGENTS
from bundlegym.data.files import write_json
from bundlegym.errors import UserError
from bundlegym.evaluation import population
from bundlegym.evaluation.chart import BLUE, GREEN, GREY, GROUND, ORANGE, STYLE, svg_of
from bundlegym.evaluation.cli import guarded, read_config_like
from bundlegym.evaluation.experiment import Experiment
from bundlegym.evaluation.first_offers import Offers, gains_of, interval, kept, offers_of
from bundlegym.evaluation.job import Job
from bundlegym.evaluation.planner_gains import in_words
from bundlegym.evaluation.presets import train_config
from bundlegym.evaluation.run_folder import read_config
from bundlegym.recommenders import Interactions, Recommender, make_recommender
from bundlegym.recommenders.ease import EASE
from bundlegym.terminal import say
from bundlegym.threads import one_thread
from bundlegym.user_models import UserModel

PLANNER = "planner"
NO_RECOMMENDER = "no recommender"
#: Recommenders that can be private, and epsilons; None is no noise.
PRIVATE = ("item-knn", "ease", "popularity")
EPSILONS = (None, 8.0, 2.0, 0.5)
#: What stands beside them, without noise: name and hyper-parameters of the recommender.
BESIDE: dict[str, tuple[str, dict[str, Any]]] = {
    "frequency": ("frequency", {}),
    f"ease, {EASE.private_items} items": ("ease", {"max_items": EASE.private_items}),
}


@dataclass(frozen=True)
class Setting:
    """Who makes offers, to whom, and who judges.

    Attributes:
        run: log, shoppers that offers are planned or learned with, and all that is kept.
        exposure: what being offered does by itself.
        judge: who reacts.
        agent: the planner, or the kind of agent that is trained with the candidates of each row.
        visits, fresh: visits of held-out shoppers, and draws on which an offer is judged.
    """

    run: Experiment
    exposure: float
    judge: UserModel
    agent: str
    visits: int
    fresh: int

    def offers(self, name: str, epsilon: float | None) -> list[Offers]:
        """What is offered under each seed; one where nothing is drawn."""
        drawn = epsilon is not None or self.agent != PLANNER
        seeds = self.run.config.all_seeds if drawn else [self.run.config.seed]
        return [self._offers(name, epsilon, seed) for seed in seeds]

    def _offers(self, name: str, epsilon: float | None, seed: int) -> Offers:
        folder = name.replace(", ", "-").replace(" ", "-")
        folder += "" if epsilon is None else f"-epsilon-{epsilon:g}-noise-{seed}"

        def make() -> Offers:
            shop = self.run.with_candidates(self._recommender(name, epsilon, seed), folder)
            core = shop.judging_core(self.visits, self.judge)
            return offers_of(core, self._policy(shop, seed), self.fresh)

        file = f"offers-{self.agent}-{seed}-{self.visits}-{self.fresh}.npz"
        return kept(self.run.folder / folder / file, make)

    def _recommender(self, name: str, epsilon: float | None, seed: int) -> Recommender | None:
        """Whose best items become candidates, fitted."""
        if name == NO_RECOMMENDER:
            return None
        model, parameters = BESIDE.get(name, (name, {}))
        if name in PRIVATE:
            parameters = {"epsilon": epsilon, "noise_seed": seed}
        dataset = self.run.dataset
        log = Interactions.from_dataset(dataset, dataset.split.train_weeks)
        return make_recommender(model, **parameters).fit(log)

    def _policy(self, shop: Experiment, seed: int) -> Policy:
        if self.agent == PLANNER:
            return Planner(shop.user_models[self.exposure])
        job = Job(self.agent, seed, self.exposure)
        shop.train(job)
        return shop.policy(job)


def rows(
    setting: Setting, names: Sequence[str], epsilons: Sequence[float | None]
) -> Iterator[dict[str, Any]]:
    """See the module's docstring; a row a recommender and epsilon."""
    for name in names:
        exact = gains_of(setting.offers(name, None))
        for epsilon in epsilons if name in PRIVATE else (None,):
            offers = setting.offers(name, epsilon)
            gains = gains_of(offers)
            yield {
                "candidates": name,
                "epsilon": epsilon,
                "seeds": len(offers),
                "visits": gains.shape[1],
                "gain": interval(gains),
                "over_none": None if epsilon is None else interval(gains - exact),
                "offered": float(np.mean([one.size > 0 for one in offers])),
            }


def line(row: dict[str, Any]) -> str:
    """A line of a Markdown table."""
    epsilon = "none" if row["epsilon"] is None else f"{row['epsilon']:g}"
    over = "" if row["over_none"] is None else in_words(row["over_none"])
    return f"| {row['candidates']} | {epsilon} | {in_words(row['gain'])} | {over} |"


def picture(found: Sequence[dict[str, Any]]) -> str:
    """Gains by epsilon as SVG, and the gain with candidates of no recommender as a line."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    with plt.rc_context(STYLE):
        figure, axis = plt.subplots(figsize=(8.75, 3.3), facecolor=GROUND, layout="constrained")
        axis.set_facecolor(GROUND)
        for name, colour in zip(PRIVATE, (GREEN, ORANGE, BLUE), strict=True):
            mine = [row for row in found if row["candidates"] == name]
            place = ["none" if row["epsilon"] is None else f"{row['epsilon']:g}" for row in mine]
            gain, low, high = (
                np.array([row["gain"][end] for row in mine]) for end in ("mean", "low", "high")
            )
            spread = gain - low, high - gain
            axis.errorbar(place, gain, spread, fmt="o-", color=colour, markersize=4, label=name)
        for row in found:
            if row["candidates"] == NO_RECOMMENDER:
                axis.axhline(row["gain"]["mean"], color=GREY, linestyle="--", label=NO_RECOMMENDER)
        axis.set_ylim(bottom=0)
        axis.set_xlabel("epsilon")
        axis.set_ylabel("gain a visit")
        axis.spines[["top", "right"]].set_visible(False)
        figure.legend(frameon=False, loc="outside right")
        drawn = svg_of(figure)
        plt.close(figure)
    return drawn


@one_thread()
def main() -> None:
    known = (NO_RECOMMENDER, *BESIDE, *PRIVATE)
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument(
        "--agent", default=PLANNER, choices=(PLANNER, *AGENTS), help="who makes offers (planner)"
    )
    parser.add_argument("--sources", nargs="+", choices=known, default=known, help="rows to run (all)")
    parser.add_argument("--epsilons", type=float, nargs="+", default=EPSILONS[1:], help="(8 2 0.5)")
    parser.add_argument("--visits", type=int, default=640, help="visits (640)")
    parser.add_argument("--fresh", type=int, default=256, help="draws on which offers are judged (256)")
    parser.add_argument("--json", type=Path, help="file for the figures")
    parser.add_argument("--picture", type=Path, help="where to draw the curves of all rows (SVG)")
    options, rest = parser.parse_known_args()
    config = train_config(rest)
    log = Path(config.data.log).stem
    config = replace(
        config,
        name=config.name or f"privacy-margin-{log}",
        offer_exposure=config.offer_exposure or (1.0,),
    )
    if (config.folder / "config.json").exists() and read_config(config.folder) != read_config_like(config):
        raise UserError(f"{config.folder} was made with other options; choose another --name")
    run, exposure = Experiment(config), config.exposures[0]
    fitted = population.judge(run.folder, "choice", config, run.dataset, run.device)
    judge = population.under(fitted, config, exposure)
    setting = Setting(run, exposure, judge, options.agent, options.visits, options.fresh)
    say(f"{run.dataset.name}: {options.agent}, held-out shoppers, test weeks; 95 % intervals\n")
    say("| candidates | epsilon | gain a visit, by the judge | over none |\n|---|---|---|---|")
    found = []
    for row in rows(setting, options.sources, (None, *options.epsilons)):
        found.append(row)
        say(line(row))
    if options.json is not None:
        write_json(options.json, {"log": run.dataset.name, "agent": options.agent, "rows": found})
    if options.picture is not None:
        options.picture.write_text(picture(found), encoding="utf-8")


if __name__ == "__main__":
    guarded(main)
