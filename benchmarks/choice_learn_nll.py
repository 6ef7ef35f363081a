"""SHOPPER and AleaCarta of choice-learn beside `ChoiceShopper`: nats per item of the same held-out baskets.

choice-learn brings TensorFlow, so it has an environment of its own, and the split goes there as a file:

    python benchmarks/choice_learn_nll.py export split.npz        # here; fits and measures ours as well
    python3 -m venv peer && peer/bin/pip install choice-learn tensorflow
    peer/bin/python benchmarks/choice_learn_nll.py run split.npz --json choice_learn.json

**The split** is that of `evaluate.py --fidelity`: fitted on the weeks before the test weeks, measured on a
sample of test visits of known and of held-out shoppers. What choice-learn calls a store is a shopper here, so
both models have taste and price parameters of each shopper's own. Ours learns coefficients from known
shoppers alone and counts a held-out shopper's own purchases before the test weeks. Theirs cannot do without
fitting a shopper's parameters, so they are fitted on everybody's visits before the test weeks: on more.

**The measures.** `before`: mean of -log of the item's share of the whole catalogue before the visit
(`nll_per_item`); for theirs, given an empty basket. `rest`: given the rest of the basket, among the items
that are not in it, as choice-learn's `evaluate` has it; ours, which knows no basket, is its share before the
visit among those items.

**How theirs are fitted.** Utilities, parameters, optimiser and losses are the package's: SHOPPER log sigmoid
of the difference to each negative sample, given the part of the basket before the item in random order;
AleaCarta binary cross-entropy, given the rest of the basket. Batches come from here: the package's own
`Shopper.fit` lists all (n - 1)! orders of a basket of n, which never ends on baskets of this log, and both
draw negative samples line by line, which is far slower: theirs are faster here than by themselves. Seasons
are off, as the test weeks were in no fit, and so is the checkout item, which nothing is asked about. The fit
ends when visits of the validation weeks, kept out of it, get no better, or after `--minutes`; the best epoch
counts. Seconds are of CPU, without those of validation.

`--own-fit RATE` also fits AleaCarta by the package's own `AleaCarta.fit` in batches of 32 lines, its default
(its graph grows with the batch), at a learning rate for such batches, epoch by epoch until it gets no better
or after `--own-minutes`.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

_VISITS = {"known": 3000, "held_out": 1000, "validation": 1000}
_BATCH, _EVALUATED, _PATIENCE = 1024, 32, 2


def export(path: Path) -> None:
    """Write the split, and our own figures on it."""
    from bundlegym.data import DataConfig, lines_of, prepare, visit_rows
    from bundlegym.user_models import ChoiceShopper

    dataset = prepare(DataConfig())
    split, rng = dataset.split, np.random.default_rng(0)
    weeks = (split.train_weeks[0], split.test_weeks[0])
    rows = {
        "known": visit_rows(dataset, split.test_weeks, ~split.held_out),
        "held_out": visit_rows(dataset, split.test_weeks, split.held_out),
        "validation": visit_rows(dataset, split.validation_weeks),
    }
    rows = {part: np.sort(rng.permutation(all_)[: _VISITS[part]]) for part, all_ in rows.items()}
    rows["train"] = np.setdiff1d(visit_rows(dataset, weeks), rows["validation"])
    arrays: dict[str, Any] = {"price": dataset.shelf_price.T, "n_shoppers": dataset.n_shoppers}
    for part, mine in rows.items():
        lines, place = lines_of(dataset, mine)
        arrays[f"{part}_item"] = dataset.purchases["item"].to_numpy(np.int32)[lines]
        arrays[f"{part}_start"] = np.searchsorted(place, np.arange(len(mine) + 1))
        for column in ("shopper", "week"):
            arrays[f"{part}_{column}"] = dataset.visits[column].to_numpy(np.int32)[mine]
    begin = time.process_time()
    model = ChoiceShopper.fit(dataset, weeks=weeks)
    ours: dict[str, Any] = {"model": "ChoiceShopper", "cpu_seconds": time.process_time() - begin}
    for part in ("known", "held_out"):
        mine = rows[part]
        shares = (
            model.log_share(model.at_visits(dataset, mine[first : first + 256])).numpy()
            for first in range(0, len(mine), 256)
        )
        ours[part] = nats(shares, arrays[f"{part}_item"], arrays[f"{part}_start"])
    part = path.with_name(path.name + ".part.npz")
    np.savez_compressed(part, **arrays, ours=json.dumps(ours))
    os.replace(part, path)
    show(ours)


def nats(log_shares: Iterator[np.ndarray], item: np.ndarray, start: np.ndarray) -> dict[str, float]:
    """`before` and `rest` from the log shares (n, I) of visit after visit that do not know the basket."""
    before, rest, visit = 0.0, 0.0, 0
    for block in log_shares:
        for log_share in block:
            line = log_share[item[start[visit] : start[visit + 1]]].astype(np.float64)
            others = np.exp(line).sum() - np.exp(line)
            before, rest = before - line.sum(), rest - (line - np.log1p(-others.clip(max=0.999))).sum()
            visit += 1
    return {"before": float(before) / len(item), "rest": float(rest) / len(item)}


class Peer:
    """One of choice-learn's models on the exported split."""

    def __init__(self, name: str, data: Any, *, latent: int, price: int, negatives: int, rate: float) -> None:
        import tensorflow as tf
        from choice_learn.basket_models import AleaCarta, Shopper

        tf.config.threading.set_intra_op_parallelism_threads(1)
        tf.config.threading.set_inter_op_parallelism_threads(1)
        tf.keras.utils.set_random_seed(0)
        self.name, self.data, self.negatives = name, data, negatives
        maker = {"SHOPPER": Shopper, "AleaCarta": AleaCarta}[name]
        sizes = {"preferences": latent, "price": price}
        self.model = maker(
            price_effects=True, latent_sizes=sizes, n_negative_samples=negatives, lr=rate, epochs=1
        )
        self.n_items = data["price"].shape[1]
        self.model.instantiate(n_items=self.n_items, n_stores=int(data["n_shoppers"]))
        self.price = data["price"].astype(np.float32)
        self.step = tf.function(self._step, reduce_retracing=True)

    def _utility(self, item: Any, basket: Any, shopper: Any, week: Any, price: Any) -> Any:
        return self.model.compute_batch_utility(
            item_batch=item, basket_batch=basket, store_batch=shopper, week_batch=week, price_batch=price,
            available_item_batch=np.ones((1, 1), dtype=np.int32), user_batch=shopper,
        )  # fmt: skip

    def _step(self, item: Any, basket: Any, shopper: Any, week: Any, price: Any) -> Any:
        """One step of the package's optimiser on lines (B, 1 + negatives), the bought item first."""
        import tensorflow as tf

        with tf.GradientTape() as tape:
            utility = self._utility(item, basket, shopper, week, price)
            if self.name == "SHOPPER":
                loss = tf.reduce_mean(tf.nn.softplus(utility[:, 1:] - utility[:, :1]))
            else:
                bought = tf.one_hot(tf.zeros_like(shopper), self.negatives + 1)
                loss = tf.reduce_mean(tf.nn.sigmoid_cross_entropy_with_logits(bought, utility))
        weights = self.model.trainable_weights
        self.model.optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))
        return loss

    def epoch(self, rng: np.random.Generator, until: float) -> None:
        """All lines once, in random order; ends early when the CPU clock reads `until`."""
        import tensorflow as tf

        item, start = self.data["train_item"], self.data["train_start"]
        visit = np.repeat(np.arange(len(start) - 1), np.diff(start))
        order = np.lexsort((rng.random(len(item)), visit))  # a new order within each basket
        item = item[order]
        for batch in np.array_split(rng.permutation(len(item)), max(1, len(item) // _BATCH)):
            if time.process_time() > until:
                return
            v = visit[batch]
            basket = self._baskets(item, start, batch, v)
            lines = np.column_stack(
                [item[batch], rng.integers(self.n_items, size=(len(batch), self.negatives))]
            )
            shopper, week = self.data["train_shopper"][v], self.data["train_week"][v]
            price = self.price[week[:, None], lines]
            self.step(*(tf.constant(a) for a in (lines, basket, shopper, week, price)))

    def _baskets(
        self, item: np.ndarray, start: np.ndarray, line: np.ndarray, visit: np.ndarray
    ) -> np.ndarray:
        """(B, longest) items that a line of the shuffled log is given, -1 after them: those before it in its
        basket for SHOPPER, all others of it for AleaCarta."""
        end = line if self.name == "SHOPPER" else start[visit + 1]
        spot = start[visit][:, None] + np.arange(max(1, int((end - start[visit]).max())))
        given = (spot < end[:, None]) & (spot != line[:, None])
        return np.where(given, item[np.minimum(spot, len(item) - 1)], -1)

    def utilities(self, part: str) -> Iterator[np.ndarray]:
        """(n, I) utilities before the visits of a part: given an empty basket."""
        shopper, week = self.data[f"{part}_shopper"], self.data[f"{part}_week"]
        for first in range(0, len(shopper), _EVALUATED):
            mine = slice(first, first + _EVALUATED)
            everything = np.tile(np.arange(self.n_items), (len(shopper[mine]), 1))
            empty = np.full((len(everything), 1), -1)
            price = self.price[week[mine]]
            yield (
                self._utility(everything, empty, shopper[mine], week[mine], price).numpy().astype(np.float64)
            )

    def given_rest(self, part: str) -> float:
        """Nats a line given the rest of the basket, among the items that are not in it.

        A basket adds the mean of its items' vectors times the asked item's to the utility before the visit.
        """
        item, start = self.data[f"{part}_item"], self.data[f"{part}_start"]
        model, shopper = self.model, self.name == "SHOPPER"
        given = (model.alpha if shopper else model.gamma).numpy()
        asked = (model.rho if shopper else model.gamma).numpy()
        total, visit = 0.0, 0
        for block in self.utilities(part):
            for utility in block:
                held = item[start[visit] : start[visit + 1]]
                others = (given[held].sum(0) - given[held]) / max(len(held) - 1, 1)
                share = _log_share(utility + others @ asked.T)
                line = share[np.arange(len(held)), held]
                out = np.exp(share[:, held]).sum(1) - np.exp(line)
                total -= (line - np.log1p(-out.clip(max=0.999))).sum()
                visit += 1
        return float(total) / len(item)

    def measures(self) -> dict[str, dict[str, float]]:
        """`before` and `rest` of the known and the held-out shoppers' visits."""
        return {part: self.before(part) | {"rest": self.given_rest(part)} for part in ("known", "held_out")}

    def before(self, part: str) -> dict[str, float]:
        """`nats` of the shares before the visits of a part."""
        shares = map(_log_share, self.utilities(part))
        return nats(shares, self.data[f"{part}_item"], self.data[f"{part}_start"])


def _log_share(utility: np.ndarray) -> np.ndarray:
    top = utility.max(-1, keepdims=True)
    return utility - top - np.log(np.exp(utility - top).sum(-1, keepdims=True))


def run(
    name: str,
    data: Any,
    minutes: float,
    epochs: Callable[[Peer], Callable[[np.random.Generator, float], None]] = lambda peer: peer.epoch,
    **settings: Any,
) -> dict[str, Any]:
    """Fit one model, epoch by epoch, until validation gets no better or the time is spent; measure its best
    epoch."""
    peer, rng = Peer(name, data, **settings), np.random.default_rng(0)
    epoch = epochs(peer)
    spent, curve, best, since_best = 0.0, [], (np.inf, []), 0
    while spent < 60 * minutes and since_best < _PATIENCE:
        begin = time.process_time()
        epoch(rng, begin + 60 * minutes - spent)
        spent += time.process_time() - begin
        validation = peer.before("validation")["before"]
        curve.append({"cpu_seconds": round(spent, 1), "validation": round(validation, 4)})
        print(name, curve[-1], flush=True)
        since_best += 1
        if validation < best[0]:
            best, since_best = (validation, [w.numpy() for w in peer.model.trainable_weights]), 0
    for weight, value in zip(peer.model.trainable_weights, best[1], strict=True):
        weight.assign(value)
    line = {"cpu_seconds": spent, "converged": since_best == _PATIENCE, **peer.measures()}
    return line | {"settings": settings, "curve": curve}


def own_epochs(peer: Peer) -> Callable[[np.random.Generator, float], None]:
    """Epochs of AleaCarta by the package's own `fit`; each is gone through to its end."""
    from choice_learn.basket_models.data import Trip, TripDataset

    data = peer.data
    baskets = np.split(data["train_item"], data["train_start"][1:-1])
    context = zip(baskets, data["train_shopper"], data["train_week"], strict=True)
    trips = [Trip(basket, peer.price[week], 0, int(shopper), int(week)) for basket, shopper, week in context]
    dataset = TripDataset(trips, np.ones((1, peer.n_items)))
    return lambda rng, until: peer.model.fit(dataset)


def show(line: dict[str, Any]) -> None:
    values = [line[part][measure] for part in ("known", "held_out") for measure in ("before", "rest")]
    cells = "".join(f"{value:>10.3f}" for value in values)
    print(f"{line['model']:<20}{cells}{line['cpu_seconds']:>12.0f}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("step", choices=("export", "run"))
    parser.add_argument("file", type=Path)
    parser.add_argument("--models", nargs="*", default=["SHOPPER", "AleaCarta"])
    parser.add_argument("--minutes", type=float, default=12.0, help="of CPU at most for a fit")
    parser.add_argument(
        "--own-fit", type=float, metavar="RATE", help="also AleaCarta's own fit, at this rate"
    )
    parser.add_argument("--own-minutes", type=float, default=150.0, help="of CPU at most for that one")
    parser.add_argument("--latent", type=int, default=50, help="size of taste vectors")
    parser.add_argument("--price", type=int, default=10, help="size of price vectors")
    parser.add_argument("--negatives", type=int, default=20, help="negative samples a line")
    parser.add_argument("--rate", type=float, default=0.01, help="learning rate of Adam")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    if options.step == "export":
        export(options.file)
        return
    with np.load(options.file) as file:
        data = dict(file)
    settings = {name: getattr(options, name) for name in ("latent", "price", "negatives", "rate")}
    lines = [json.loads(str(data["ours"]))]
    fits = {name: partial(run, name, data, options.minutes, **settings) for name in options.models}
    if options.own_fit:
        own = settings | {"rate": options.own_fit}
        own_fit = partial(run, "AleaCarta", data, options.own_minutes, epochs=own_epochs, **own)
        fits["AleaCarta, own fit"] = own_fit
    for label, fit in fits.items():
        lines.append({"model": label} | fit())
        if options.json:
            part = options.json.with_name(options.json.name + ".part")
            part.write_text(json.dumps({"rows": lines}, indent=2) + "\n", encoding="utf-8")
            os.replace(part, options.json)
    print(f"{'nats per item':<20}{'known':>10}{'rest':>10}{'held out':>10}{'rest':>10}{'CPU seconds':>12}")
    for line in lines:
        show(line)


if __name__ == "__main__":
    main()
