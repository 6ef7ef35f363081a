"""What differential privacy buys and costs: attacks on membership, and rankings, by epsilon.

    python benchmarks/privacy.py [--json FILE] [--picture FILE]

A recommender is learned from all shoppers who are not held out, before the test weeks; NDCG and recall at 10
are of the first visits in the test weeks, over `seeds` draws of the noise. "none" has no noise and, for EASE,
as many items as the private one.

Two attacks ask of a shopper whose purchases are known whether they were learned from. Recommenders are
learned from random halves of the shoppers; AUC is the chance that one who was is told from one who was not.

- shadow: the attacker sees scores. From the first half of the recommenders they know how the scores go with
  what a shopper bought, when the shopper was learned from and when not (likelihood ratio of two normals with
  one variance; Carlini et al. 2022). They attack the second half.
- others known: the attacker sees the noisy sums and knows all purchases of all others: the likelihood ratio
  of the noise. Without noise they are certain.

The guarantee holds both below a ceiling: AUC is at most Phi(mu / root 2). Intervals of 95 % are by bootstrap
over recommenders and shoppers. Seeds are known here, so no recommender of this benchmark is private.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import tyro
from scipy import sparse, special, stats

from bundlegym.data import DataConfig, prepare
from bundlegym.data.files import write_json
from bundlegym.errors import UserError
from bundlegym.evaluation.benchmark import Task, first_visits
from bundlegym.evaluation.chart import BLUE, GREEN, GREY, GROUND, ORANGE, STYLE, svg_of
from bundlegym.evaluation.cli import guarded
from bundlegym.evaluation.ranking import evaluate_ranking
from bundlegym.recommenders import Interactions, Recommender, make_recommender
from bundlegym.recommenders.ease import EASE
from bundlegym.recommenders.gaussian_mechanism import clip_rows, mu_of, noisy_gram, noisy_sum
from bundlegym.recommenders.private import POPULARITY_SHARE, PrivateRecommender
from bundlegym.terminal import say

#: Hyper-parameters, as in `complete_journey_next_basket.py` where there are any.
MODELS: dict[str, dict[str, Any]] = {
    "popularity": {},
    "ease": {"max_items": EASE.private_items},
    "item-knn": {"neighbours": 5},
}
EPSILONS = (None, 8.0, 4.0, 2.0, 1.0, 0.5)
DELTA, ROW_NORM, ITEMS = PrivateRecommender.delta, PrivateRecommender.row_norm, EASE.private_items
#: Fewer recommenders may leave a shopper in all of them, or in none.
LEAST_SHADOWS = 24
BOOTSTRAPS = 200


@dataclass(frozen=True)
class Config:
    """What differential privacy buys and costs."""

    data: DataConfig = DataConfig()

    seeds: int = 5
    """Draws of the noise for rankings."""

    shadows: int = 64
    """Recommenders learned from random halves of the shoppers; one half of them is attacked."""

    targets: int = 200
    """Shoppers who are attacked."""

    output: Annotated[Path | None, tyro.conf.arg(name="json")] = None
    """Where to write the rows."""

    picture: Path | None = None
    """Where to draw the curves (SVG)."""


def learned(name: str, epsilon: float | None, seed: int, log: Interactions) -> Recommender:
    """A recommender of the benchmark."""
    return make_recommender(name, **MODELS[name], epsilon=epsilon, noise_seed=seed).fit(log)


def fit_of(model: Recommender, targets: np.ndarray) -> np.ndarray:
    """(T,) correlation of shoppers' scores with what they bought: what the shadow attack looks at."""
    scores = model.score(targets).astype(np.float64)
    bought = model.log.counts[targets].sign().toarray()
    scores -= scores.mean(1, keepdims=True)
    bought -= bought.mean(1, keepdims=True)
    length = np.linalg.norm(scores, axis=1) * np.linalg.norm(bought, axis=1)
    return (scores * bought).sum(1) / np.maximum(length, 1e-12)


def shadow_ratios(seen: np.ndarray, member: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Log likelihood ratios (S / 2, T) of membership in the second half of S recommenders by the first, and
    who was learned from there.

    Args:
        seen: (S, T) what the attacker looks at.
        member: (S, T) bool.
    """
    half = len(seen) // 2
    known, inside = seen[:half], member[:half]
    mean_in = (known * inside).sum(0) / inside.sum(0)
    mean_out = (known * ~inside).sum(0) / (~inside).sum(0)
    rest = known - np.where(inside, mean_in, mean_out)
    variance = np.maximum((rest**2).mean(0), 1e-24)
    return (seen[half:] - (mean_in + mean_out) / 2) * (mean_in - mean_out) / variance, member[half:]


def known_others_ratios(
    name: str, epsilon: float, log: Interactions, member: np.ndarray, targets: np.ndarray, seed: int
) -> np.ndarray:
    """(T,) log likelihood ratio of membership for one who knows all purchases of all others."""
    mu, rng = mu_of(epsilon, DELTA), np.random.default_rng(seed)
    share = 1.0 if name == "popularity" else POPULARITY_SHARE
    mu_sum, mu_gram = mu * math.sqrt(share), mu * math.sqrt(1 - share)
    inside = member[targets]
    table = log.counts.multiply(member[:, None]).tocsr()
    released = noisy_sum(table, ROW_NORM, mu_sum, rng)
    noise = released - np.asarray(clip_rows(table, ROW_NORM).sum(0)).ravel()
    own = clip_rows(log.counts[targets], ROW_NORM)
    ratio = _ratio(own @ noise, _squares(own), ROW_NORM / mu_sum, inside)
    if share == 1.0:
        return ratio
    items = np.sort(np.argsort(-released, kind="stable")[:ITEMS])
    counts = log.counts.sign() if name == "ease" else log.counts
    table = counts[:, items].multiply(member[:, None]).tocsr()
    rows = clip_rows(table, ROW_NORM)
    noise = noisy_gram(table, ROW_NORM, mu_gram, rng) - (rows.T @ rows).toarray()
    own = clip_rows(counts[targets][:, items], ROW_NORM)
    along = np.asarray(own.multiply(own @ noise).sum(1)).ravel()
    return ratio + _ratio(along, _squares(own) ** 2, ROW_NORM**2 / mu_gram, inside)


def _squares(rows: sparse.csr_matrix) -> np.ndarray:
    """(T,) squared lengths."""
    return np.asarray(rows.multiply(rows).sum(1)).ravel()


def _ratio(along: np.ndarray, square: np.ndarray, spread: float, inside: np.ndarray) -> np.ndarray:
    """Log likelihood ratio by noise `along` what shoppers add, of squared length `square`, to a sum."""
    return (along + np.where(inside, square, 0.0) - square / 2) / spread**2


def auc(ratio: np.ndarray, member: np.ndarray) -> tuple[float, float, float]:
    """Area under the curve of (S, T) ratios, and its 95 % interval by bootstrap over both."""
    rng, (s, t) = np.random.default_rng(0), ratio.shape
    some = [np.ix_(rng.integers(0, s, s), rng.integers(0, t, t)) for _ in range(BOOTSTRAPS)]
    low, high = np.quantile([area(ratio[which], member[which]) for which in some], [0.025, 0.975])
    return area(ratio, member), float(low), float(high)


def area(ratio: np.ndarray, member: np.ndarray) -> float:
    """How often the ratio of one who was learned from is above that of one who was not; half for equals."""
    rank, inside = stats.rankdata(ratio.ravel()), member.ravel()
    n_in, n_out = int(inside.sum()), int((~inside).sum())
    return float((rank[inside].sum() - n_in * (n_in + 1) / 2) / (n_in * n_out))


def rankings(name: str, epsilon: float | None, task: Task, seeds: int) -> dict[str, Any]:
    """NDCG and recall: the mean over draws of the noise, and half of its 95 % interval."""
    seeds = 1 if epsilon is None else seeds
    found = [
        evaluate_ranking(learned(name, epsilon, seed, task.log), task.shoppers, task.truth, k=task.k)
        for seed in range(seeds)
    ]
    row: dict[str, Any] = {"draws": seeds}
    for measure in ("ndcg", "recall"):
        values = np.array([each[measure] for each in found])
        row[measure] = float(values.mean())
        error = values.std(ddof=1) / math.sqrt(seeds) if seeds > 1 else 0.0
        row[f"{measure}_half"] = float(error * (stats.t.ppf(0.975, seeds - 1) if seeds > 1 else 0.0))
    return row


def attacks(config: Config, log: Interactions) -> dict[tuple[str, float | None], dict[str, Any]]:
    """AUC of both attacks by recommender and epsilon."""
    rng = np.random.default_rng(0)
    everyone = np.flatnonzero(log.n_visits > 0)
    targets = np.sort(rng.choice(everyone, min(config.targets, len(everyone)), replace=False))
    cells = [(name, epsilon) for name in MODELS for epsilon in EPSILONS]
    shape = (config.shadows, len(targets))
    seen = {cell: np.empty(shape) for cell in cells}
    known = {cell: np.empty(shape) for cell in cells}
    member = np.empty(shape, bool)
    for shadow in range(config.shadows):
        inside = np.random.default_rng([1, shadow]).random(log.n_shoppers) < 0.5
        member[shadow] = inside[targets]
        marked = replace(log, held_out=~inside)
        half = marked.training()
        for number, (name, epsilon) in enumerate(cells):
            seed = 1000 + shadow * len(cells) + number
            model = learned(name, epsilon, seed, half).over(marked)
            seen[name, epsilon][shadow] = fit_of(model, targets)
            if epsilon is not None:
                known[name, epsilon][shadow] = known_others_ratios(name, epsilon, log, inside, targets, seed)
    return {
        cell: {
            "shadow": auc(*shadow_ratios(seen[cell], member)),
            "others_known": None if cell[1] is None else auc(known[cell], member),
            "ceiling": None if cell[1] is None else float(special.ndtr(mu_of(cell[1], DELTA) / math.sqrt(2))),
        }
        for cell in cells
    }


def main(config: Config) -> None:
    """Print the table."""
    if config.shadows < LEAST_SHADOWS:
        raise UserError(f"--shadows is {config.shadows}; must be {LEAST_SHADOWS} or more")
    dataset = prepare(config.data)
    for note in dataset.notes:
        say(note)
    task = first_visits(dataset, dataset.split.test_weeks)
    log = task.log.training()
    found = attacks(config, log)
    say(f"{dataset.name}: {int((log.n_visits > 0).sum())} shoppers learned from, delta {DELTA}, rows clipped "
        f"to {ROW_NORM}")  # fmt: skip
    say(f"{'model':12}{'epsilon':>8}{'NDCG@10':>18}{'recall@10':>18}{'shadow AUC':>24}{'others known':>24}"
        f"{'ceiling':>9}")  # fmt: skip
    rows = []
    for (name, epsilon), attack in found.items():
        row = {"model": name, "epsilon": epsilon, **rankings(name, epsilon, task, config.seeds), **attack}
        rows.append(row)
        say(line(row))
    if config.output:
        write_json(config.output, rows)
    if config.picture:
        config.picture.write_text(picture(rows), encoding="utf-8")


def line(row: dict[str, Any]) -> str:
    """A row as text."""

    def interval(value: tuple[float, float, float] | None) -> str:
        return "certain" if value is None else "{:.3f} [{:.3f}, {:.3f}]".format(*value)

    ceiling = "1" if row["ceiling"] is None else f"{row['ceiling']:.3f}"
    ranked = [f"{row[name]:.4f} +- {row[f'{name}_half']:.4f}" for name in ("ndcg", "recall")]
    epsilon = "none" if row["epsilon"] is None else f"{row['epsilon']:g}"
    return (
        f"{row['model']:12}{epsilon:>8}{ranked[0]:>18}{ranked[1]:>18}{interval(row['shadow']):>24}"
        f"{interval(row['others_known']):>24}{ceiling:>9}"
    )


def picture(rows: list[dict[str, Any]]) -> str:
    """The curves as SVG: NDCG on the left, AUC of the shadow attack on the right."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    names = ["none" if epsilon is None else f"{epsilon:g}" for epsilon in EPSILONS]
    place = np.arange(len(names))
    with plt.rc_context(STYLE):
        figure, (left, right) = plt.subplots(
            1, 2, figsize=(8.75, 3.3), facecolor=GROUND, layout="constrained"
        )
        for name, colour in zip(MODELS, (BLUE, ORANGE, GREEN), strict=True):
            mine = [row for row in rows if row["model"] == name]
            ndcg, half = (np.array([row[each] for row in mine]) for each in ("ndcg", "ndcg_half"))
            left.errorbar(place, ndcg, half, fmt="o-", color=colour, markersize=4, label=name)
            attack = np.array([row["shadow"] for row in mine])
            spread = np.abs(attack[:, 1:] - attack[:, :1]).T
            right.errorbar(place, attack[:, 0], spread, fmt="o-", color=colour, markersize=4, label=name)
        ceiling = [1.0 if row["ceiling"] is None else row["ceiling"] for row in mine]
        right.plot(place, ceiling, "--", color=GREY, label="ceiling of the guarantee")
        for axis, what in ((left, "NDCG@10"), (right, "AUC of the shadow attack")):
            axis.set_facecolor(GROUND)
            axis.set_xticks(place, names)
            axis.set_xlabel("epsilon")
            axis.set_ylabel(what)
            axis.spines[["top", "right"]].set_visible(False)
        left.set_ylim(bottom=0)
        right.set_ylim(0.45, 1.02)
        left.legend(frameon=False)
        right.legend(frameon=False)
        drawn = svg_of(figure)
        plt.close(figure)
    return drawn


if __name__ == "__main__":
    guarded(lambda: main(tyro.cli(Config)))
