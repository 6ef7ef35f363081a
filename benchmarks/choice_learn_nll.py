"""SHOPPER and AleaCarta of choice-learn beside `ChoiceShopper`: nats per item and CPU time of the fit.

choice-learn brings TensorFlow, so it has an environment of its own, and the data go there as a file:

    python benchmarks/choice_learn_nll.py export trips.npz          # here; also fits and measures
    ChoiceShopper python3 -m venv /tmp/peer && /tmp/peer/bin/pip install choice-learn tensorflow
    /tmp/peer/bin/python benchmarks/choice_learn_nll.py run trips.npz --epochs 10

Both fit on the weeks before the test weeks of shoppers who are not held out, and are scored on the same
visits of the test weeks. A shopper is what choice-learn calls a store; its likelihood knows the rest of the
basket, ours does not. `--trips` takes a sample of the training visits, which is then said.
"""

from __future__ import annotations

import argparse
import json
import time
from typing import Any

import numpy as np

_TEST_VISITS = 1500


def export(path: str) -> None:
    """Write what `run` needs; fit `ChoiceShopper` on the same and print its figures."""
    import torch

    from bundlegym.data import DataConfig, lines_of, prepare, visit_rows
    from bundlegym.user_models import ChoiceShopper
    from bundlegym.user_models.fidelity.likelihood import model_nll

    torch.set_num_threads(1)
    dataset = prepare(DataConfig())
    known, weeks = ~dataset.split.held_out, (0, dataset.split.test_weeks[0])
    train = visit_rows(dataset, weeks, known)
    test = visit_rows(dataset, dataset.split.test_weeks, known)
    test = np.sort(np.random.default_rng(0).permutation(test)[:_TEST_VISITS])
    begin = time.process_time()
    model = ChoiceShopper.fit(dataset, weeks=weeks)
    spent = time.process_time() - begin
    report("ChoiceShopper", model_nll(model, dataset, test), spent, trips=len(train))
    arrays: dict[str, Any] = {"price": dataset.shelf_price.T, "n_shoppers": dataset.n_shoppers}
    for name, rows in (("train", train), ("test", test)):
        lines, place = lines_of(dataset, rows)
        arrays[f"{name}_item"] = dataset.purchases["item"].to_numpy()[lines]
        arrays[f"{name}_start"] = np.searchsorted(place, np.arange(len(rows) + 1))
        for column in ("shopper", "week"):
            arrays[f"{name}_{column}"] = dataset.visits[column].to_numpy()[rows]
    np.savez_compressed(path, **arrays)


def run(path: str, models: list[str], trips: int, visits: int, epochs: int) -> None:
    """Fit and score choice-learn's models on an exported file."""
    from choice_learn.basket_models import AleaCarta, Shopper
    from choice_learn.basket_models.data import Trip, TripDataset

    data = np.load(path)
    n_items = data["price"].shape[1] + 1  # item 0 is choice-learn's checkout
    price = np.column_stack([np.ones(len(data["price"])), data["price"]]).astype(np.float32)

    def dataset(part: str, rows: np.ndarray) -> Any:
        start, item = data[f"{part}_start"], data[f"{part}_item"] + 1
        made = [
            Trip(
                purchases=np.append(item[start[r] : start[r + 1]], 0),
                store=int(data[f"{part}_shopper"][r]),
                week=min(int(data[f"{part}_week"][r]), 51),
                prices=price[data[f"{part}_week"][r]],
                assortment=0,
            )
            for r in rows
        ]
        return TripDataset(made, np.ones((1, n_items), dtype=int))

    every = len(data["train_shopper"])
    rows = np.random.default_rng(0).permutation(every)[: trips or every]
    train, test = (
        dataset("train", rows),
        dataset("test", np.arange(len(data["test_shopper"]))[: visits or None]),
    )
    sizes = {"preferences": 50, "price": 10, "season": 4}
    for name in models:
        maker = {"shopper": Shopper, "aleacarta": AleaCarta}[name]
        model = maker(
            price_effects=True,
            latent_sizes=sizes,
            n_negative_samples=50,
            lr=0.01,
            epochs=epochs,
            batch_size=256,
        )
        model.instantiate(n_items=n_items, n_stores=int(data["n_shoppers"]))
        begin = time.process_time()
        model.fit(train)
        spent = time.process_time() - begin
        report(name, score(model, test), spent, trips=len(rows), visits=len(test), epochs=epochs)


def score(model: Any, test: Any) -> float:
    """Nats per item over the catalogue, given the rest of the basket; the checkout, which is no item, is left
    out of the lines and of the alternatives."""
    total, count = 0.0, 0
    for batch, _ in test.iter_batch_evaluate(trip_batch_size=8):
        chance = np.asarray(
            model.compute_item_likelihood(
                basket=batch[1], available_items=batch[6], store=batch[3], week=batch[4], prices=batch[5],
                user=batch[7],
            )
        )  # fmt: skip
        item = batch[0]
        mine = item > 0
        share = chance[np.arange(len(item)), item] / chance[:, 1:].sum(1)
        total -= float(np.log(np.maximum(share[mine], 1e-12)).sum())
        count += int(mine.sum())
    return total / count


def report(name: str, nats: float | None, spent: float, **about: int) -> None:
    print(
        json.dumps({"model": name, "nll_per_item": nats, "fit_cpu_seconds": round(spent, 1), **about}),
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("step", choices=("export", "run"))
    parser.add_argument("file")
    parser.add_argument(
        "--models", nargs="+", default=["shopper", "aleacarta"], choices=("shopper", "aleacarta")
    )
    parser.add_argument("--trips", type=int, default=0, help="training visits to sample; 0 for all")
    parser.add_argument("--visits", type=int, default=0, help="test visits to score on; 0 for all")
    parser.add_argument("--epochs", type=int, default=10)
    options = parser.parse_args()
    if options.step == "export":
        export(options.file)
    else:
        run(options.file, options.models, options.trips, options.visits, options.epochs)


if __name__ == "__main__":
    main()
