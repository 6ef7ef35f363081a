"""What an item costs the shop: from the log where it says so, else from a named assumption."""

from __future__ import annotations

import numpy as np
import pandas as pd

from bundlegym.errors import UserError

#: Gross margin as a share of sales, by a word in the department's name; the first that fits counts.
#: The last column says where it comes from, see `MARGIN_SOURCES`.
DEPARTMENT_MARGINS: tuple[tuple[str, float, str], ...] = (
    ("FROZEN", 0.30, "rule of thumb"),
    ("DAIRY", 0.30, "rule of thumb"),
    ("PRODUCE", 0.308, "NGA Foundation 2020"),
    ("MEAT", 0.29, "rule of thumb"),
    ("DELI", 0.40, "rule of thumb"),
    ("BAKERY", 0.55, "rule of thumb"),
    ("PASTRY", 0.55, "rule of thumb"),
    ("GROCERY", 0.25, "rule of thumb"),
)
DEFAULT_MARGIN = 0.28
MARGIN_SOURCES = {
    "rule of thumb": (
        "figures for US supermarkets that the trade press repeats without naming a survey (dry grocery 25 %, "
        "frozen 30 %, dairy 30 %, meat 28-30 %, deli 40 %, bakery 55 %), as quoted at "
        "https://www.expunct.com/business/there-sure-are-some-weird-beliefs-out-there/"
    ),
    "NGA Foundation 2020": (
        "National Grocers Association Foundation, retail pricing primer (a 2020 survey: produce 30.8 %), "
        "https://nationalgrocers.org/ngafta_news/ethel-recinos-and-chelsea-matzen-project-manager"
    ),
    "default": (
        "National Grocers Association and FMS Solutions, 2020 Independent Grocers Financial Survey (28 % "
        "across departments), Supermarket News, 13 August 2020, https://supermarketnews.com/foodservice-retail/"
        "strong-2019-positioned-independent-grocers-well-for-strange-2020"
    ),
}


def unit_costs(items: pd.DataFrame, gross_margin: float | None = None) -> tuple[pd.Series, dict[str, str]]:
    """Unit cost an item, and the assumption made where the log has none.

    Args:
        items: `list_price` (median, per unit), `department`, and `unit_cost` (NaN where unknown).
        gross_margin: share of list price in [0, 1), instead of the table by department.

    Returns:
        Cost in the log's currency, float64; and `{}` or `{"unit_cost": sentence}`. An assumed cost is
        list_price x (1 - margin). The margins are shares of realised sales, promotions included, so that
        costs from list prices err upwards and margins earned come out on the low side.

    Raises:
        UserError: `gross_margin` is outside [0, 1).
    """
    if gross_margin is not None and not 0 <= gross_margin < 1:
        raise UserError(f"gross_margin must be a share from 0 to below 1, but is {gross_margin}")
    unknown = items["unit_cost"].isna()
    margins = items["department"].map(_margin_of) if gross_margin is None else gross_margin
    costs = items["unit_cost"].fillna(items["list_price"] * (1 - margins)).astype(np.float64)
    if not unknown.any():
        return costs, {}
    return costs, {"unit_cost": _sentence(int(unknown.sum()), len(items), gross_margin)}


def _margin_of(department: str) -> float:
    name = department.upper()
    return next((margin for word, margin, _ in DEPARTMENT_MARGINS if word in name), DEFAULT_MARGIN)


def _sentence(unknown: int, total: int, gross_margin: float | None) -> str:
    start = (
        f"the log gives no unit cost for {unknown:,} of {total:,} items; taken as list price x (1 - margin)"
    )
    if gross_margin is not None:
        return f"{start}, with the chosen gross margin of {gross_margin:.1%}"
    table = ", ".join(
        f"{word.lower()} {margin:.1%} [{source}]" for word, margin, source in DEPARTMENT_MARGINS
    )
    sources = "; ".join(f"[{key}] {text}" for key, text in MARGIN_SOURCES.items())
    return f"{start}, by department: {table}, others {DEFAULT_MARGIN:.1%} [default]. {sources}"
