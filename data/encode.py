"""From a checked `Log` to a `Dataset`: clean, select, number, tabulate, split."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from bundlegym.data.base import Dataset, Log
from bundlegym.data.campaigns import encode_campaigns
from bundlegym.data.catalogue import describe_items, price_lines, price_tables, promotion_tables, select_items
from bundlegym.data.clean import usable, whole_pieces
from bundlegym.data.config import DataConfig
from bundlegym.data.costs import margin_errors, unit_costs, weekly_costs
from bundlegym.data.earlier_run import Known, check_known, known_first
from bundlegym.data.ids import sorted_codes
from bundlegym.data.item_vectors import TEXT, item_texts, text_vectors
from bundlegym.data.name_categories import categories_of_names
from bundlegym.data.row_blocks import frames_by, groups_by, move_rows, rows_by, runs_of
from bundlegym.data.sold_by_weight import weighed_items, weighed_report
from bundlegym.data.split import check_size, split
from bundlegym.data.weeks import days_since, first_monday, week_of
from bundlegym.errors import UserError

#: Columns of `Dataset.purchases`.
_PURCHASES = ("visit", "item", "quantity", "price_paid", "list_price")


def build_dataset(log: Log, config: DataConfig, known: Known | None = None) -> Dataset:
    """Clean, encode and split `log`, without reading or writing any file.

    Items and shoppers are numbered by their sorted ids, after those of an earlier run that are `known`,
    visits by shopper, time and basket. Weeks are calendar weeks from the Monday of the log's first usable
    line to its last. A visit takes place at the time of its first line.

    Raises:
        UserError: nothing, or too little, is left of the log; an option is out of its range; unit costs are
            far from prices nearly everywhere; vectors are of other items, or no item has the texts asked for.
    """
    first_week = first_monday(log.transactions["time"])
    keep, cleaning, assumptions = usable(log, config)
    lines = log.transactions.copy(deep=False)
    log = replace(log, transactions=lines.iloc[:0].copy())  # its lines are let go of as they are numbered
    lines = whole_pieces(move_rows(lines, keep))
    origin = first_monday(lines["time"])
    promotions = (
        None if log.promotions is None else _calendar_weeks(log.promotions, lines, origin, first_week)
    )
    n_weeks = (lines["time"].max() - origin).days // 7 + 1

    item_ids = select_items(lines, config.min_purchases)
    if known is not None:
        check_known(log.name, known, lines)
        item_ids = known_first(item_ids, known.items)
    lines = move_rows(lines, lines["item"].isin(item_ids).to_numpy())
    shopper_ids = np.sort(lines["shopper"].unique())
    if known is not None:
        shopper_ids = known_first(shopper_ids, known.shoppers)
    lines = move_rows(lines, lines["basket"].notna().to_numpy())
    lines["item"] = _codes(lines["item"], item_ids)
    lines["visit"], visits = _number_visits(
        _codes(lines.pop("shopper"), shopper_ids), lines.pop("basket"), lines["time"], origin
    )
    check_size(log.name, weeks=n_weeks, shoppers=len(shopper_ids), items=len(item_ids), visits=len(visits))

    items, made = categories_of_names(describe_items(item_ids, log.items))
    items["list_price"] = _median_list_price(lines)
    items["weighed"] = weighed_items(lines)
    del lines["time"]  # room for weeks and prices
    lines["week"] = visits["week"].to_numpy()[lines["visit"]]
    list_price, shelf_price, sold = price_tables(lines, price_lines(items), n_weeks)
    weighed, in_catalogue = weighed_report(items, lines), len(lines)
    taken = {name: lines[name].to_numpy() for name in _PURCHASES}
    del lines  # room for what is summed
    purchases = _collapse(taken)
    logged = None if log.costs is None else weekly_costs(log.costs, item_ids, origin, n_weeks)
    unit_cost, cost_assumption = unit_costs(items, list_price, config.gross_margin, logged)
    items = items.drop(columns="unit_cost")
    errors = margin_errors(items, list_price, unit_cost)
    display, mailer = promotion_tables(
        _encode_promotions(promotions, item_ids, n_weeks), len(item_ids), n_weeks
    )
    records = log.campaigns
    campaigns = None if records is None else encode_campaigns(records, origin, shopper_ids, item_ids)
    vectors, of_vectors = _vectors(log, items, config.text)
    report = {
        "cleaning": cleaning,
        "lines_outside_catalogue": cleaning["lines_after"] - in_catalogue,
        "assumptions": {
            **assumptions,
            **cost_assumption,
            **({"categories": made} if made else {}),
            **_table_assumptions(sold, promotions is not None),
            **_visit_assumptions(visits),
            **of_vectors,
        },
        "weighed_items": weighed,
        "errors": errors,
    }
    return Dataset(
        name=log.name,
        items=items,
        shoppers=_describe_shoppers(shopper_ids, log.shoppers),
        visits=visits,
        purchases=purchases,
        list_price=list_price,
        shelf_price=shelf_price,
        unit_cost=unit_cost,
        display=display,
        mailer=mailer,
        split=split(
            n_weeks,
            len(shopper_ids),
            held_out_share=config.held_out_share,
            test_share=config.test_share,
            validation_share=config.validation_share,
            seed=config.split_seed,
            known=known,
        ),
        report=report,
        notes=(*log.notes, *_notes(weighed, errors)),
        campaigns=campaigns,
        start=origin,
        vectors=vectors,
    )


def _vectors(
    log: Log, items: pd.DataFrame, text: Sequence[str]
) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """Name -> (n_items, E) vectors, those of files and those made of the columns `text`; and what to tell."""
    if text and TEXT in log.vectors:
        raise UserError("the vectors text are given twice: by --text and by --item-vectors")
    found = {name: given.of(items["item"].to_numpy()) for name, given in log.vectors.items()}
    if text:
        found[TEXT] = text_vectors(item_texts(items, log.items, text))
    told = {f"vectors {name}": sentence for name, (_, sentence) in found.items()}
    return {name: vectors for name, (vectors, _) in found.items()}, told


def _notes(weighed: dict, errors: list[dict]) -> Iterator[str]:
    """What of the report must be said beside every result."""
    if weighed["items"]:
        yield (
            f"{weighed['items']:,} items ({weighed['share_of_lines']:.0%} of the lines) look as if sold by "
            f"weight, such as {', '.join(weighed['most_bought'][:3])}: their prices are a usual piece's in a "
            "week, and move with its weight"
        )
    for error in errors:
        yield f"ERROR in the log: {error['sentence']}"


def _codes(values: pd.Series, ids: np.ndarray) -> np.ndarray:
    """Position of each value in `ids`, int32, -1 where it is not there."""
    known = values.astype("category").cat
    place = pd.Index(ids).get_indexer(known.categories.astype(object))
    return np.append(place, -1).astype(np.int32)[known.codes]


def _median_list_price(lines: pd.DataFrame) -> np.ndarray:
    """(n_items,) float64."""
    parts = frames_by(lines, "item", "item", "list_price")
    return np.concatenate([part.groupby("item")["list_price"].median() for part in parts])


def _number_visits(
    shopper: np.ndarray, basket: pd.Series, time: pd.Series, origin: pd.Timestamp
) -> tuple[np.ndarray, pd.DataFrame]:
    """(n,) int32 code of the visit of each line, and a row a visit: `shopper`, `day`, `week`, `basket`."""
    n, names, code = len(shopper), basket.astype("category").cat.categories, sorted_codes(basket)
    runs = runs_of(shopper, code)
    shopper, code = shopper[runs], code[runs]
    del basket  # room
    begins = np.minimum.reduceat(time.to_numpy(), runs)
    visit, rows, begins = _in_order(shopper, code, begins)
    day = days_since(pd.Series(begins), origin).astype(np.int32)
    visits = {"shopper": shopper[rows], "day": day, "week": day // 7, "basket": names.take(code[rows])}
    return np.repeat(visit, np.diff(runs, append=n)), pd.DataFrame(visits, copy=False)


def _in_order(
    shopper: np.ndarray, basket: np.ndarray, begins: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Visits of some rows (R,), by shopper, time and basket: (R,) int32 code of each row's; and of each visit
    one of its rows and when it begins."""
    order, first = groups_by(shopper, basket)
    rows = order[first]
    begins = np.minimum.reduceat(begins[order], np.flatnonzero(first))
    by_time = np.argsort(begins, kind="stable").astype(order.dtype)
    by_time = by_time[rows_by(shopper[rows[by_time]])]
    number = np.empty(len(rows), dtype=np.int32)
    number[by_time] = np.arange(len(rows), dtype=np.int32)
    visit = np.empty(len(order), dtype=np.int32)
    visit[order] = number[np.cumsum(first, dtype=order.dtype) - 1]
    return visit, rows[by_time], begins[by_time]


def _collapse(lines: dict[str, np.ndarray]) -> pd.DataFrame:
    """One row a visit and item: summed `quantity`, quantity-weighted mean prices; sorted by both.

    Args:
        lines: `_PURCHASES`, each (n,), which are taken out as they are summed.
    """
    order, first = groups_by(lines["visit"], lines["item"])
    several = ~first
    several[:-1] |= ~first[1:]
    # In their own order, since pandas adds up numbers that come in order of groups less exactly.
    own = np.argsort(order[several])
    group = np.cumsum(first[several])[own]

    def sums(values: np.ndarray) -> np.ndarray:
        """Of each visit and item; `values` (n,) are in order."""
        found = values[first]
        found[several[first]] = pd.Series(values[several][own]).groupby(group).sum()
        return found

    kept = {name: lines.pop(name)[order][first] for name in ("visit", "item")}
    pieces = lines.pop("quantity")[order]
    kept["quantity"] = sums(pieces)
    for name in ("price_paid", "list_price"):
        values = lines.pop(name)[order]
        values *= pieces
        kept[name] = sums(values)
        kept[name] /= kept["quantity"]
    return pd.DataFrame(kept, copy=False)


def _describe_shoppers(shopper_ids: np.ndarray, shoppers: pd.DataFrame | None) -> pd.DataFrame:
    """A row a shopper in code order; demographic text is "" where unknown."""
    table = pd.DataFrame({"shopper": shopper_ids})
    if shoppers is None:
        return table
    table = table.merge(shoppers, on="shopper", how="left")
    text = table.select_dtypes(include=["object", "str"]).columns
    return table.fillna({column: "" for column in text if column != "shopper"})


def _calendar_weeks(
    promotions: pd.DataFrame, lines: pd.DataFrame, origin: pd.Timestamp, first_week: pd.Timestamp
) -> pd.DataFrame:
    """`promotions` with 0-based calendar weeks.

    The log's own week numbers are translated by the calendar week in which most of their lines lie; without
    own numbers, week 1 is the calendar week of the log's first line before cleaning, `first_week`.
    """
    if "week" not in lines:
        return promotions.assign(week=promotions["week"] - 1 - (origin - first_week).days // 7)
    counts = pd.DataFrame({"own": lines["week"], "calendar": week_of(lines["time"], origin)}).value_counts()
    most = counts.reset_index().drop_duplicates("own").set_index("own")["calendar"]
    return promotions.assign(week=promotions["week"].map(most)).dropna(subset="week")


def _encode_promotions(promotions: pd.DataFrame | None, item_ids: np.ndarray, n_weeks: int) -> pd.DataFrame:
    if promotions is None:
        return pd.DataFrame({"item": [], "week": [], "display": [], "mailer": []}).astype(
            {"item": np.int32, "week": np.int64}
        )
    inside = promotions["item"].isin(item_ids) & promotions["week"].between(0, n_weeks - 1)
    rows = promotions[inside]
    return rows.assign(item=_codes(rows["item"], item_ids), week=rows["week"].astype(np.int64))


def _visit_assumptions(visits: pd.DataFrame) -> dict[str, str]:
    if visits["shopper"].duplicated().any():
        return {}
    return {"visits": "every shopper has one visit; nothing can be learned about repeat visits"}


def _table_assumptions(sold: np.ndarray, has_promotions: bool) -> dict[str, str]:
    assumptions = {
        "shelf_price": f"{1 - sold.mean():.0%} of the item-weeks have no sale; their list price is "
        "taken from the nearest week before (else after) with a sale, and as much off it as "
        "others of the same subcategory, brand and list price had that week (else as the item itself "
        "before and after)"
    }
    if not has_promotions:
        assumptions["promotions"] = "the log has no display or mailer records; taken as none"
    return assumptions
