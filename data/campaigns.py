"""Coupons that a shop sent out: which campaign reached whom, what its coupons were good for, and when.

Shoppers by items by weeks would be a table of hundreds of millions of cells; exposure has low rank. A coupon
for item i is in the hands of shopper s in week w once for each campaign r that counts s among its members,
holds a coupon for i and runs in w.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from bundlegym.data.weeks import days_since


@dataclass(frozen=True)
class CampaignRecords:
    """A shop's own records of coupon campaigns, part of a `Log`.

    Attributes:
        campaigns: `campaign`, `first_day`, `last_day` (datetimes, both days included), optionally `kind`
            (text) and `received` (coupons that each member got; all of the campaign's where missing).
        members: `campaign`, `shopper`: whom the campaign was sent to.
        coupons: `campaign`, `coupon`, `item`: a row an item that a coupon is good for.
        redemptions: `campaign`, `shopper`, `coupon`, a row a coupon that was used, or None.
    """

    campaigns: pd.DataFrame
    members: pd.DataFrame
    coupons: pd.DataFrame
    redemptions: pd.DataFrame | None = None


@dataclass(frozen=True)
class Campaigns:
    """Campaigns under the codes of a `Dataset`: R campaigns, S shoppers, I items.

    Attributes:
        table: a row a campaign: `campaign` (the log's id), `kind` ("" where unknown), `first_day`, `last_day`
            (int, days as in `Dataset.visits`; they may lie outside the log), `coupons` and `received` (int:
            how many there were, and how many of them each member got), `redeemed` (float, coupons used by
            the members, NaN where not logged).
        members: (R, S) bool.
        items: (R, I) bool, items that some coupon of the campaign is good for.
    """

    table: pd.DataFrame
    members: np.ndarray
    items: np.ndarray

    def running(self, n_weeks: int) -> np.ndarray:
        """(R, n_weeks) float32, the share of each week's days on which a campaign ran."""
        first, end = (self.table[name].to_numpy()[:, None] for name in ("first_day", "last_day"))
        monday = 7 * np.arange(n_weeks)
        days = np.minimum(end + 1, monday + 7) - np.maximum(first, monday)
        return (days.clip(0, 7) / 7).astype(np.float32)

    def reached_all(self) -> np.ndarray:
        """(R,) bool: every member got every coupon, so that it is known who held which."""
        return (self.table["received"] >= self.table["coupons"]).to_numpy()


def encode_campaigns(
    records: CampaignRecords, origin: pd.Timestamp, shopper_ids: np.ndarray, item_ids: np.ndarray
) -> Campaigns:
    """`records` under codes: positions in the sorted ids, days since `origin`. Members and items that the
    dataset does not have are left out."""
    table = records.campaigns.sort_values("campaign", ignore_index=True)
    ids = pd.Index(table["campaign"])
    coupons = records.coupons.drop_duplicates(["campaign", "coupon"])["campaign"].value_counts()
    coupons = ids.map(coupons).fillna(0).to_numpy(dtype=np.int64)
    members = _incidence(records.members, "shopper", ids, shopper_ids)
    redeemed = np.full(len(ids), np.nan)
    if records.redemptions is not None:
        known = records.redemptions["shopper"].isin(shopper_ids)
        counts = records.redemptions.loc[known, "campaign"].value_counts()
        redeemed = ids.map(counts).fillna(0).to_numpy(dtype=np.float64)
    return Campaigns(
        table=pd.DataFrame(
            {
                "campaign": ids,
                "kind": table["kind"].astype("str") if "kind" in table else "",
                "first_day": days_since(table["first_day"], origin),
                "last_day": days_since(table["last_day"], origin),
                "coupons": coupons,
                "received": table["received"].to_numpy(dtype=np.int64) if "received" in table else coupons,
                "redeemed": redeemed,
            }
        ),
        members=members,
        items=_incidence(records.coupons, "item", ids, item_ids),
    )


def _incidence(pairs: pd.DataFrame, column: str, campaigns: pd.Index, ids: np.ndarray) -> np.ndarray:
    """(R, len(ids)) bool, True where `pairs` has a row of the campaign and the id."""
    row = campaigns.get_indexer(pd.Index(pairs["campaign"]))
    place = pd.Index(ids).get_indexer(pd.Index(pairs[column]))
    inside = (row >= 0) & (place >= 0)
    table = np.zeros((len(campaigns), len(ids)), dtype=bool)
    table[row[inside], place[inside]] = True
    return table
