"""What `choice` finds of a shop whose causes are known: price sensitivity and complements of grocery-sim.

    python benchmarks/grocery_truth.py --data DIR [--json FILE]

DIR holds tables of the package grocery-sim: receipts.parquet, and the answers hidden_customers.parquet, which
no fit reads. Estimates of each household's price sensitivity are ranked against the true one: how cheap,
within categories, the items are that `choice` expects a household to buy; the taste of `choice` for what is
cheap in a subcategory, which new items are chosen by; a random-coefficient logit as the shop was drawn (item
effects, and a sensitivity to price over the category's median with a log-normal prior), which is a ceiling;
and the mean price of what was bought. No complements are planted, so none should be found.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from scipy.stats import spearmanr

from bundlegym.data import DataConfig, Dataset, prepare
from bundlegym.recommenders.dirichlet_shares import line_counts
from bundlegym.user_models import ChoiceShopper

_STEPS, _PRIOR_SIGMA = 600, 0.4
COLUMNS = (
    "shopper=customer_id", "item=uid", "basket=receipt_id", "quantity=qty", "time=date", "price=unit_price",
)  # fmt: skip


def read(folder: Path) -> Dataset:
    """The log, with categories from the codes of its items (MP-PRM-008 is a product of line PRM of MP)."""
    log = folder / "receipts.parquet"
    codes = pd.Series(pd.read_parquet(log, columns=["uid"])["uid"].dropna().unique()).sort_values()
    table = {
        "uid": codes,
        "department": codes.str[:2],
        "category": codes.str[:2],
        "subcategory": codes.str[:6],
    }
    with tempfile.TemporaryDirectory() as scratch:
        items = Path(scratch) / "items.csv"
        pd.DataFrame(table).to_csv(items, index=False)
        return prepare(DataConfig(log=str(log), map=COLUMNS, items_file=items))


def ceiling(dataset: Dataset) -> np.ndarray:
    """(S,) sensitivities by the shop's own law: within a category, a line is of item i with chance
    proportional to exp(a_i - s p_i / median p), log s normal."""
    purchases = dataset.purchases
    shopper = torch.from_numpy(dataset.visits["shopper"].to_numpy(np.int64)[purchases["visit"]])
    item = torch.from_numpy(purchases["item"].to_numpy(np.int64))
    category = torch.from_numpy(pd.factorize(dataset.items["category"])[0])
    price = torch.from_numpy(dataset.shelf_price.mean(1))
    median = torch.stack([price[category == c].median() for c in range(int(category.max()) + 1)])
    relative = price / median[category]
    appeal = torch.zeros(dataset.n_items, requires_grad=True)
    log_s = torch.zeros(dataset.n_shoppers, requires_grad=True)
    optimiser = torch.optim.Adam([appeal, log_s], lr=0.05)
    same = category[:, None] == category
    for _ in range(_STEPS):
        utility = appeal - log_s.exp()[:, None] * relative
        total = torch.log(utility.exp() @ same.float())  # (S, I) of each item's category
        loss = (total - utility)[shopper, item].sum() + 0.5 * (log_s / _PRIOR_SIGMA).square().sum()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return np.asarray(log_s.detach())


def cheapness(dataset: Dataset, lines: np.ndarray) -> np.ndarray:
    """(S,) minus the mean log price of the `lines` (S, I) of each shopper, less that of the item's
    category."""
    price = pd.Series(np.log(dataset.shelf_price.mean(1)))
    apart = price - price.groupby(dataset.items["category"].to_numpy()).transform("mean")
    return -(lines @ apart.to_numpy()) / lines.sum(1)


def expected(model: ChoiceShopper, dataset: Dataset) -> np.ndarray:
    """(S, I) shares of items that the model expects of each shopper's last visit."""
    last = np.flatnonzero(~dataset.visits["shopper"].duplicated(keep="last").to_numpy())
    log_share = model.log_share(model.at_visits(dataset, last))
    assert log_share is not None
    return log_share.double().exp().numpy()


def main() -> None:
    """Fit, compare, print and keep."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    dataset = read(options.data)
    truth = pd.read_parquet(options.data / "hidden_customers.parquet").set_index("token")["price_sens"]
    true = truth.reindex(dataset.shoppers["shopper"]).to_numpy()
    visits = np.bincount(dataset.visits["shopper"], minlength=dataset.n_shoppers)
    who = ~np.isnan(true) & (visits >= 10)
    model = ChoiceShopper.fit(dataset, weeks=(0, dataset.n_weeks), shoppers=np.ones(dataset.n_shoppers, bool))
    estimates = {
        "choice, cheapness of what it expects": cheapness(dataset, expected(model, dataset)),
        "choice, taste for what is cheap": -model.params.attribute_tastes.attribute_taste[:, 0].numpy(),
        "ceiling, the true law": ceiling(dataset),
        "mean price bought": cheapness(dataset, line_counts(dataset, (0, dataset.n_weeks)).toarray()),
    }
    found: dict[str, Any] = {
        name: float(spearmanr(value[who], true[who]).statistic) for name, value in estimates.items()
    }
    print(f"{who.sum()} households of ten visits or more: rank correlation with the true price sensitivity")
    for name, value in found.items():
        print(f"  {name:38}{value:8.3f}")
    synergy = model.params.complementarity.synergy.numpy()
    pairs = synergy[np.triu_indices(len(synergy), 1)]
    found["mean absolute synergy"] = float(np.abs(pairs).mean())
    found["greatest synergy"] = float(pairs.max())
    print(f"{len(pairs)} pairs of categories, of which none are complements: mean absolute synergy "
          f"{found['mean absolute synergy']:.3f}, greatest {found['greatest synergy']:.3f}")  # fmt: skip
    if options.json is not None:
        options.json.write_text(json.dumps(found, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
