"""Two made-up shops of ten items whose shoppers are stated in full, so that the best offers can be computed.

`data.synthetic` draws logs to which shoppers are fitted. Here nothing is fitted: the shoppers of the
environments `KnownOptimum-v0` and `Planning-v0` *are* these parameters (`user_models.planted`), and the log
is what these shoppers buy without offers, for the shop to know them by.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from bundlegym.data.base import Log

START = pd.Timestamp("2024-01-01")  # a Monday
SHOPPERS, WEEKS = 120, 52
#: Name, category and department of each item; the last two are brands of one category.
ITEMS = (
    ("Pasta", "Pasta", "GROCERY"),
    ("Pasta sauce", "Pasta sauce", "GROCERY"),
    ("Coffee", "Coffee", "GROCERY"),
    ("Cookies", "Cookies", "GROCERY"),
    ("Cereal", "Cereal", "GROCERY"),
    ("Milk", "Milk", "DAIRY"),
    ("Bread", "Bread", "BAKERY"),
    ("Cheese", "Cheese", "DAIRY"),
    ("Butter, Alder", "Butter", "DAIRY"),
    ("Butter, Birch", "Butter", "DAIRY"),
)
PRICE = (2.0, 3.0, 6.0, 3.0, 4.0, 2.0, 3.0, 5.0, 3.0, 3.0)
COST = (1.1, 1.7, 3.3, 1.6, 2.2, 1.4, 1.7, 2.9, 1.7, 1.5)
_NAMES = tuple(name for name, _, _ in ITEMS)


@dataclass(frozen=True)
class Planted:
    """A shop's shoppers (T types, I items). An item is bought at the shelf price when its utility and Gumbel
    noise are above 0 together; `user_models.planted` says what an offer does.

    Attributes:
        utility: (T, I) of each item to each type; shopper s is of type s modulo T.
        slope: utility in minus log price.
        synergy: (item, other item, what having either adds to the utility of the other).
        exposure: utility that being offered adds by itself to a shopper who is not tired of offers.
        left: what is left of it after 0, 1, ... offers; a visit without one takes one away again.
        carryover: (item, what having bought it at the last visit adds to its utility): above 0 state
            dependence (Heckman 1981), below 0 a shopper who has stocked up.
    """

    utility: tuple[tuple[float, ...], ...]
    slope: float
    synergy: tuple[tuple[str, str, float], ...] = ()
    exposure: float = 0.0
    left: tuple[float, ...] = (1.0,)
    carryover: tuple[tuple[str, float], ...] = ()

    def synergy_table(self) -> np.ndarray:
        """(I, I) float32, symmetric."""
        table = np.zeros((len(ITEMS), len(ITEMS)), dtype=np.float32)
        for one, other, size in self.synergy:
            i, j = _NAMES.index(one), _NAMES.index(other)
            table[i, j] = table[j, i] = size
        return table

    def carryover_table(self) -> np.ndarray:
        """(I,) float32."""
        table = np.zeros(len(ITEMS), dtype=np.float32)
        for name, size in self.carryover:
            table[_NAMES.index(name)] = size
        return table


_COMPLEMENTS = (
    ("Pasta", "Pasta sauce", 1.0),
    ("Coffee", "Cookies", 1.0),
    ("Cereal", "Milk", 1.0),
)
#: Logs by name. The first has complements and substitutes and no memory: the best offer of a visit is best.
#: In the second, an offer costs later visits something: shoppers tire of offers and stock up, or try an item
#: and come back for it.
PLANTED = {
    "known-optimum": Planted(
        utility=(
            (-1.0, -2.0, -3.0, -3.0, -2.0, -0.5, -1.0, -2.5, -1.0, -1.5),
            (-3.0, -3.0, -1.0, -2.0, -2.5, -1.0, -1.0, -3.0, -2.0, -1.5),
            (-2.5, -3.0, -3.5, -2.5, -1.0, -1.5, -1.5, -1.5, -2.5, -2.5),
        ),
        slope=3.0,
        synergy=(*_COMPLEMENTS, ("Butter, Alder", "Butter, Birch", -1.0)),
    ),
    "planning": Planted(
        utility=(
            (-1.0, -2.0, -3.0, -3.0, -2.0, -0.5, -1.0, -2.5, -1.0, -1.5),
            (-3.0, -3.0, -1.0, -2.0, -2.5, -1.0, -1.0, -3.0, -2.0, -1.5),
        ),
        slope=2.5,
        synergy=_COMPLEMENTS,
        exposure=2.0,
        left=(1.0, 0.2, 0.0),
        carryover=(("Coffee", -2.0), ("Pasta sauce", -2.0), ("Pasta", -2.0), ("Cheese", 2.0)),
    ),
}


def planted_log(name: str, seed: int = 0) -> Log:
    """What the shoppers of `PLANTED[name]` buy in a year without offers, each visiting every Sunday.

    Complements that are bought on their own merits raise each other, as `user_models.planted` has it.
    """
    planted, rng = PLANTED[name], np.random.default_rng(seed)
    own = np.array(planted.utility)[np.arange(SHOPPERS) % len(planted.utility)]
    pull, carryover = planted.synergy_table().clip(min=0), planted.carryover_table()
    before = np.zeros((SHOPPERS, len(ITEMS)), dtype=bool)
    lines = []
    for week in range(WEEKS):
        value = own + carryover * before + rng.gumbel(size=own.shape)
        before = value + (value > 0) @ pull > 0
        shopper, item = np.nonzero(before)
        lines.append(pd.DataFrame({"shopper": shopper, "item": item, "day": 7 * week + 6}))
    bought = pd.concat(lines, ignore_index=True)
    price = np.array(PRICE)[bought["item"]]
    return Log(
        name=name,
        transactions=pd.DataFrame(
            {
                "shopper": bought["shopper"],
                "basket": bought.groupby(["shopper", "day"]).ngroup(),
                "item": bought["item"],
                "time": START + pd.to_timedelta(bought["day"] * 24 + 12, unit="h"),
                "quantity": 1,
                "price_paid": price,
                "list_price": price,
            }
        ),
        items=pd.DataFrame(ITEMS, columns=["name", "category", "department"]).assign(
            item=range(len(ITEMS)), unit_cost=COST
        ),
        notes=("Data: made up by bundlegym from stated parameters; it says nothing about real shoppers.",),
    )
