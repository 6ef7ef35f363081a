"""From the tables beside a log to the records that a `Log` holds; what is found out about each is told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from bundlegym.data.calendar import Calendar, inside, one_when
from bundlegym.data.campaigns import CampaignRecords
from bundlegym.data.config import ReadOptions
from bundlegym.data.files import sources as files_of
from bundlegym.data.promotions import promotion_shares
from bundlegym.data.side_tables import SideTable, TableSource, file_options, read_side_table
from bundlegym.errors import UserError

#: Of a campaign's records, those without which the others say nothing.
CAMPAIGN_TABLES = ("campaigns", "members", "coupons")
#: Ids that are named where some of a table are not in the log.
SHOWN = 3


@dataclass
class Records:
    """Fields of a `Log`, as they come from tables beside it.

    Attributes:
        told: name of the table -> a sentence on what was read; notes: name -> what was inferred.
        remarks: what must be said beside every result.
    """

    shoppers: pd.DataFrame | None = None
    promotions: pd.DataFrame | None = None
    campaigns: CampaignRecords | None = None
    costs: pd.DataFrame | None = None
    told: dict[str, str] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()


def read_records(
    tables: Mapping[str, TableSource],
    log: Path,
    options: ReadOptions,
    lines: pd.DataFrame,
    calendar: Calendar,
) -> Records:
    """All of `tables` but the items, against the lines of the log.

    Args:
        lines: `shopper` and `item` of what was sold.

    Raises:
        UserError: a table is wrong, or says nothing of this log.
    """
    found = Records()
    read: dict[str, SideTable] = {}
    shoppers, items = (pd.Index(np.sort(lines[name].unique())) for name in ("shopper", "item"))
    if lacking := [name for name in CAMPAIGN_TABLES if name not in tables]:
        if named := [name for name in (*CAMPAIGN_TABLES, "redemptions") if name in tables]:
            raise UserError(
                f"{', '.join(named)} say nothing without {', '.join(lacking)}: a coupon is known by when its "
                "campaign ran, to whom it went and which items it is good for"
            )
    for name, source in tables.items():
        if name == "items":
            continue
        if name == "stores":
            files_of(source.path(log))
            found.told["stores"] = (
                f"{source.path(log)}: not read, since no model knows stores; a log's own column store says "
                "which receipt numbers belong together"
            )
            continue
        read[name] = read_side_table(name, source, log, options, calendar.day_zero is not None)
    if "shoppers" in read:
        found.shoppers = _shoppers(read["shoppers"], shoppers)
    if "promotions" in read:
        decimal = file_options(tables["promotions"], options).decimal
        found.promotions, told = promotion_shares(read["promotions"], calendar, items, decimal)
        _tell(read["promotions"], told)
    if "campaigns" in read:
        received = tables["campaigns"].received
        found.campaigns = _campaigns(read, calendar, shoppers, items, received)
    if "costs" in read:
        found.costs = _costs(read["costs"], calendar, items)
    if "stock" in read:
        found.remarks = (_stock(read["stock"], calendar, items),)
    for name, table in read.items():
        found.told[name] = table.told()
        for key, sentence in table.sieve.notes.items():
            found.notes[f"{name}, {key}"] = sentence
    return found


def _tell(table: SideTable, sentences: list[str]) -> None:
    """Sentences of a table as one of its notes."""
    if sentences:
        table.sieve.notes["read"] = "; ".join(sentences)


def _of_the_log(table: SideTable, ours: str, values: pd.Series, known: pd.Index, what: str) -> list[str]:
    """A sentence on ids that the log has not; `UserError` where it has none of them."""
    ids = pd.Index(values.unique())
    strange = ids[~ids.isin(known)]
    if len(strange) == len(ids):
        raise UserError(
            f"{table.label}: column '{table.columns[ours].name}' must name {what}s of the log, but none of "
            f"its {len(ids):,} is one; the first is '{ids[0]}', and the log has '{known[0]}'"
        )
    if not len(strange):
        return []
    shown = ", ".join(map(str, strange[:SHOWN])) + (", ..." if len(strange) > SHOWN else "")
    return [f"{len(strange):,} of {len(ids):,} {what}s are not in the log ({shown})"]


def _refuse_repeats(table: SideTable, frame: pd.DataFrame, key: list[str]) -> pd.DataFrame:
    """`frame` without rows that come again; `UserError` where two of one `key` say different things."""
    once = frame.drop_duplicates(ignore_index=True)
    if len(once) < len(frame):
        table.sieve.dropped["row that comes again"] = len(frame) - len(once)
    again = once.duplicated(key, keep=False)
    if again.any():
        row = once[again].sort_values(key, kind="stable").iloc[0]
        names = ", ".join(table.columns[name].name if name in table.columns else "day" for name in key)
        values = ", ".join(
            f"{value.date() if isinstance(value, pd.Timestamp) else value}" for value in row[key]
        )
        raise UserError(
            f"{table.label}: there must be one row for each {names}, but {int(again.sum()):,} rows of "
            f"{len(frame):,} share theirs with another that says something else; the first is {values}"
        )
    return once


def _shoppers(table: SideTable, shoppers: pd.Index) -> pd.DataFrame:
    frame = _refuse_repeats(table, table.frame(), ["shopper"])
    facts = [name for name in table.columns if name != "shopper"]
    if not facts:
        raise UserError(f"{table.label}: it says nothing of a shopper but who they are")
    told = _of_the_log(table, "shopper", frame["shopper"], shoppers, "shopper")
    known = int(shoppers.isin(frame["shopper"]).sum())
    told.append(f"{', '.join(facts)} are known of {known:,} of {len(shoppers):,} shoppers")
    _tell(table, told)
    return frame


def _campaigns(
    read: Mapping[str, SideTable],
    calendar: Calendar,
    shoppers: pd.Index,
    items: pd.Index,
    received: Mapping[str, int],
) -> CampaignRecords:
    table = read["campaigns"]
    frame = table.frame().assign(
        first_day=calendar.days(table, "first_day"), last_day=calendar.days(table, "last_day")
    )
    frame = _refuse_repeats(table, frame, ["campaign"])
    early = (frame["last_day"] < frame["first_day"]).to_numpy()
    if early.any():
        row = frame[early].iloc[0]
        raise UserError(
            f"{table.label}: column '{table.columns['last_day'].name}' must not be before the first day, but "
            f"{int(early.sum()):,} of {len(frame):,} rows are; the first is campaign {row['campaign']}"
        )
    runs = (frame["first_day"] <= calendar.last) & (frame["last_day"] >= calendar.first)
    if not runs.any():
        raise UserError(
            f"{table.label}: no campaign ran in the days of the log, which go from {calendar.first.date()} "
            f"to {calendar.last.date()}; the first ran from {frame['first_day'].iloc[0].date()} to "
            f"{frame['last_day'].iloc[0].date()}"
        )
    told = [f"{int(runs.sum()):,} of {len(frame):,} campaigns ran in the days of the log"]
    parts: dict[str, pd.DataFrame] = {}
    for name, ours, known in (
        ("members", "shopper", shoppers),
        ("coupons", "item", items),
        ("redemptions", "shopper", shoppers),
    ):
        if name not in read:
            continue
        part = read[name].frame()
        strange = ~part["campaign"].isin(frame["campaign"]).to_numpy()
        if strange.any():
            raise UserError(
                f"{read[name].label}: column '{read[name].columns['campaign'].name}' must name one of the "
                f"campaigns, but {int(strange.sum()):,} of {len(part):,} rows do not; the first is "
                f"'{part['campaign'][strange].iloc[0]}'"
            )
        sentences = _of_the_log(read[name], ours, part[ours], known, ours)
        _tell(read[name], sentences)
        if name != "redemptions":  # a coupon may be used twice
            once = part.drop_duplicates(ignore_index=True)
            if len(once) < len(part):
                read[name].sieve.dropped["row that comes again"] = len(part) - len(once)
            part = once
        parts[name] = part
    if "redemptions" not in parts:
        told.append("which coupons were used is not known")
    if received:
        kinds = frame["kind"] if "kind" in frame else pd.Series("", index=frame.index)
        if strange_kinds := [kind for kind in received if kind not in set(kinds)]:
            raise UserError(
                f"{table.label}: received names the kind '{strange_kinds[0]}', but the campaigns' kinds are: "
                f"{', '.join(sorted(set(kinds))) or 'not known; map kind'}"
            )
        every = parts["coupons"].groupby("campaign")["coupon"].nunique()
        frame["received"] = kinds.map(received).fillna(frame["campaign"].map(every)).fillna(0)
        counts = ", ".join(f"{count} of kind {kind}" for kind, count in received.items())
        told.append(f"a member got so many coupons: {counts}, else all of the campaign's")
    else:
        told.append("every member is taken to have got all coupons of the campaign; received says otherwise")
    _tell(table, told)
    return CampaignRecords(frame, parts["members"], parts["coupons"], parts.get("redemptions"))


def _costs(table: SideTable, calendar: Calendar, items: pd.Index) -> pd.DataFrame:
    """`item`, `first_day`, `unit_cost`: what a piece costs from that day to the item's next row."""
    when = one_when(table, needed=False)
    frame = table.frame()[["item", "unit_cost"]]
    days = calendar.days(table, when) if when else pd.Series(calendar.monday, index=frame.index)
    frame.insert(1, "first_day", days)
    negative = ~(frame["unit_cost"] >= 0).to_numpy()
    if negative.any():
        raise UserError(
            f"{table.label}: column '{table.columns['unit_cost'].name}' must be 0 or more, but "
            f"{int(negative.sum()):,} of {len(frame):,} rows are not; the first is of item "
            f"{frame['item'][negative].iloc[0]}: {frame['unit_cost'][negative].iloc[0]:g}"
        )
    told = _of_the_log(table, "item", frame["item"], items, "item")
    late = (~(frame["first_day"] <= calendar.last)).to_numpy()
    if late.all():
        raise UserError(
            f"{table.label}: no cost is of a day of the log, which ends on {calendar.last.date()}; check the "
            f"column '{table.columns[when].name if when else 'time'}'"
        )
    if late.any():
        table.sieve.dropped["day after the log"] = int(late.sum())
    frame = _refuse_repeats(table, frame[~late], ["item", "first_day"])
    first = frame.groupby("item")["first_day"].min()
    unsaid = int((first > calendar.monday + pd.Timedelta(days=6)).sum())
    if unsaid:
        told.append(
            f"{unsaid:,} items have no cost in their first weeks; their first one counts for these too"
        )
    told.append(
        f"unit costs of {int(items.isin(frame['item']).sum()):,} of {len(items):,} items"
        + (", each from its day to the item's next" if when else ", the same at all times")
    )
    _tell(table, told)
    return frame


def _stock(table: SideTable, calendar: Calendar, items: pd.Index) -> str:
    """A sentence for results on how often an item was not there: no model reads stock."""
    when = one_when(table, needed=True)
    frame = table.frame().assign(day=calendar.days(table, when))
    told = _of_the_log(table, "item", frame["item"], items, "item")
    within = inside(frame["day"], calendar)
    if not within.any():
        raise UserError(
            f"{table.label}: no row is of a week of the log, which goes from {calendar.first.date()} to "
            f"{calendar.last.date()}; check the column '{table.columns[when].name}'"
        )
    if not within.all():
        table.sieve.dropped["outside of the log"] = int((~within).sum())
    keys = ["item", "day", *(["store"] if "store" in frame else [])]
    frame = _refuse_repeats(table, frame.loc[within, [*keys, "on_hand"]], keys)
    left = frame["on_hand"].clip(lower=0).groupby([frame["item"], frame["day"]]).sum()
    left = left[left.index.get_level_values("item").isin(items)]
    unit = "weeks" if when == "week" else "days"
    if negative := int((frame["on_hand"] < 0).sum()):
        told.append(f"{negative:,} rows have less than nothing on hand; taken as none")
    sentence = (
        f"by its stock an item was not there on {float((left == 0).mean()):.1%} of {len(left):,} "
        f"item-{unit}; no model knows that, and takes it for lack of demand"
    )
    _tell(table, [*told, sentence])
    return sentence
