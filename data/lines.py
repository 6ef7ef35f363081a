"""Which rows of a log's file are lines of a sale to somebody, and what kind of line: rules, each counted."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from bundlegym.data.columns import Column
from bundlegym.data.config import ReadOptions
from bundlegym.data.ids import sorted_codes
from bundlegym.data.row_blocks import groups_by, parts_by, runs_of
from bundlegym.data.weeks import day_numbers
from bundlegym.errors import UserError

#: Values of an event column that are sales, and such as show that a column holds events.
SALES = frozenset(
    ("purchase", "purchased", "buy", "bought", "order", "ordered", "transaction", "sale", "sold", "checkout")
)
NO_SALES = frozenset(
    ("view", "viewed", "detail", "click", "pv", "cart", "add_to_cart", "addtocart", "remove_from_cart", "fav",
     "favorite", "wishlist", "impression", "like")
)  # fmt: skip
EVENT_NAMES = frozenset(
    ("event", "event_type", "eventtype", "event_name", "action", "action_type", "behavior", "behaviour",
     "behavior_type", "type", "interaction")
)  # fmt: skip
#: Words in a status that say that nothing was sold in the end.
CANCELLED = r"cancel|refund|return|void|declin|fail|unavailable|reject|storn|fraud|abandon"
#: Names that tills and shops give to somebody unknown.
GUEST_NAMES = frozenset(
    ("0", "-1", "00", "000", "0000", "00000", "000000", "99999", "999999", "9999999", "guest", "anonymous",
     "anon", "unknown", "cash", "walk-in", "walkin", "walk in", "gast", "invité", "invitado", "default",
     "no card", "nocard", "not logged in", "visitor")
)  # fmt: skip
#: A guest's visits, as multiples of the visits of the busiest hundredth of the others: by name, and by that
#: alone.
GUEST_TIMES = {True: 2.0, False: 10.0}
LEAST_GUEST_VISITS = 10
#: Days without a line that part dates from all others, and the greatest share of lines that is then left out.
FAR_DAYS, FAR_SHARE = 365, 0.01
#: Weeks without a line that are told.
GAP_WEEKS = 4
#: Lines with unusual quantities that are needed to tell totals from unit prices.
LEAST_LINES = 20


@dataclass
class Sieve:
    """Which rows are left, how many were left out for which reason, and what else was found.

    Attributes:
        keep: (n,) bool.
        dropped: reason -> rows, in the order in which reasons are tried.
        notes: name -> sentence.
    """

    keep: np.ndarray
    dropped: dict[str, int] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)

    def drop(self, bad: np.ndarray, reason: str) -> None:
        """Leave out the rows `bad` (n,) bool."""
        count = int((self.keep & bad).sum())
        if count:
            self.dropped[reason] = self.dropped.get(reason, 0) + count
            self.keep &= ~bad


def sift_rows(columns: dict[str, Column], sieve: Sieve, options: ReadOptions, label: str) -> None:
    """Leave out rows that are no sale (events, cancelled orders, repeated headers) or lack what a line needs.

    Raises:
        UserError: a row holds something that cannot be understood, and `options.bad_lines` says to refuse.
    """
    if "event" in columns and options.events != ("all",):
        _sift_events(columns["event"], sieve, options)
    if "status" in columns and options.statuses != ("all",):
        _sift_statuses(columns["status"], sieve, options)
    sift_headers(columns, sieve)
    needed = ["shopper", "item", "time", "week", "day", "price_paid", "amount", "quantity"]
    if "time" in columns:
        needed = [name for name in needed if name not in ("week", "day")]
    if options.keep_guests:
        needed.remove("shopper")
    for name in (name for name in needed if name in columns):
        column = columns[name]
        sieve.drop(column.missing[column.codes], f"no {_word(name)}")
    for name, column in columns.items():
        if not column.bad.any():
            continue
        bad = column.bad[column.codes]
        if options.bad_lines == "drop":
            sieve.drop(bad, f"{_word(name)} that cannot be read")
        else:
            refuse_unreadable(column, bad & sieve.keep, label)


def sift_headers(columns: dict[str, Column], sieve: Sieve) -> None:
    """Leave out rows in which most columns hold their own names."""
    once = {column.name: column for column in columns.values()}
    hits = np.zeros(len(sieve.keep), dtype=np.int16)
    for name, column in once.items():
        if (header := (column.texts.astype("str") == name).to_numpy()).any():
            hits += header[column.codes]
    sieve.drop(hits > max(1, len(once) / 2), "header that comes again")


def refuse_unreadable(column: Column, bad: np.ndarray, label: str) -> None:
    """Raise `UserError` where any row is `bad`, with their count and the first of them."""
    if bad.any():
        row = int(bad.argmax())
        raise UserError(
            f"{label}: column '{column.name}' {column.rule}, but {int(bad.sum()):,} of {len(bad):,} rows do "
            f"not; the first is data row {row + 1}: '{column.texts.iloc[column.codes[row]]}'; --bad-lines "
            "drop leaves them out"
        )


def _word(name: str) -> str:
    return {"price_paid": "price", "amount": "price", "time": "date"}.get(name, name.replace("_", " "))


def _sift_events(column: Column, sieve: Sieve, options: ReadOptions) -> None:
    words = column.texts.str.lower()
    if options.events == ("auto",):
        counted = words.isin(SALES)
        if not counted.any():
            found = ", ".join(map(str, column.texts[~column.missing].head(12)))
            raise UserError(
                f"column '{column.name}' holds events, but none that is surely a sale; name those that are "
                f"with --events, or --events all; it has: {found}"
            )
        told = ", ".join(dict.fromkeys(column.texts[counted]))
        sieve.notes["event"] = f"only lines with {column.name} {told} count as sales; --events overrules"
    else:
        counted = words.isin([value.lower() for value in options.events])
    sieve.drop(~counted.to_numpy()[column.codes], "event that is no sale")


def _sift_statuses(column: Column, sieve: Sieve, options: ReadOptions) -> None:
    words = column.texts.str.lower()
    if options.statuses == ("auto",):
        cancelled = words.str.contains(CANCELLED)
        if cancelled.any():
            told = ", ".join(dict.fromkeys(column.texts[cancelled]))
            sieve.notes["status"] = f"lines with {column.name} {told} are left out; --statuses overrules"
    else:
        cancelled = ~words.isin([value.lower() for value in options.statuses])
    sieve.drop(cancelled.to_numpy()[column.codes], "cancelled order")


def looks_like_events(texts: pd.Series) -> bool:
    """Whether a column's distinct values are events, some of which are no sales, or none a sale."""
    words = set(texts.str.lower()) - {""}
    return bool(words & NO_SALES) and (bool(words & SALES) or words <= NO_SALES)


def looks_like_statuses(texts: pd.Series) -> bool:
    """Whether some of a column's few distinct values say that an order was cancelled."""
    return len(texts) <= 30 and bool(texts.str.lower().str.contains(CANCELLED).any())


def sift_dates(times: pd.Series, options: ReadOptions) -> tuple[np.ndarray, str, str]:
    """(n,) bool, lines outside the days to read; the reason; and a sentence on what was left out unasked."""
    if options.since or options.until:
        since, until = _day(options.since, "since"), _day(options.until, "until")
        out = np.zeros(len(times), dtype=bool)
        if since is not None:
            out |= (times < since).to_numpy()
        if until is not None:
            out |= (times >= until + pd.Timedelta(days=1)).to_numpy()
        return out, "outside the days to read", ""
    day = day_numbers(times)
    days, counts = np.unique_counts(day)
    part = np.concatenate([[0], np.cumsum(np.diff(days) > FAR_DAYS)])
    lines = np.bincount(part, counts).astype(np.int64)
    far = (lines < FAR_SHARE * len(times)) & (np.arange(len(lines)) != lines.argmax())
    if not far.any():
        return np.zeros(len(times), dtype=bool), "", ""
    far_days = days[far[part]]
    dates = [str(day) for day in far_days.astype("datetime64[D]")]
    told = ", ".join(dates) if len(dates) <= 4 else f"{dates[0]}, ..., {dates[-1]}"
    sentence = (
        f"{int(lines[far].sum())} of {len(times):,} lines are more than a year from all others and left out "
        f"({told}); --since and --until overrule"
    )
    return np.isin(day, far_days), f"date far from all others ({told})", sentence


def _day(text: str, option: str) -> pd.Timestamp | None:
    if not text:
        return None
    try:
        return pd.to_datetime(text, format="%Y-%m-%d")
    except ValueError as error:
        raise UserError(f"--{option}: '{text}' is no day such as 2011-01-31") from error


def visit_codes(lines: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """(n,) codes of the shopper of each line, and (n,) of when they bought it. Lines with equal codes are of
    one visit: what a shopper has in one `basket`, or without baskets on one day."""
    shopper = sorted_codes(lines["shopper"])
    if "basket" in lines:
        return shopper, sorted_codes(lines["basket"])
    day = day_numbers(lines["time"])
    return shopper, day - day.min()


def find_guests(lines: pd.DataFrame, options: ReadOptions) -> tuple[np.ndarray, str]:
    """Ids that stand for many people, and a sentence on those that were found.

    Found are ids with many times the visits of the busiest others, fewer times where they are called like
    nobody.
    """
    if options.guests == ("none",):
        return np.array([], dtype=object), ""
    if options.guests != ("auto",):
        return np.array(options.guests, dtype=object), ""
    shopper, when = visit_codes(lines)
    runs = runs_of(shopper, when)
    order, first = groups_by(shopper[runs], when[runs])
    visits = np.bincount(shopper[runs][order[first]])
    codes = np.flatnonzero(visits)
    visits, ids = visits[codes], lines["shopper"].astype("category").cat.categories[codes]
    most = np.argsort(visits)[::-1][:20]
    found, told = [], []
    for place in most:
        name = str(ids[place])
        others = np.delete(visits, [place, *(p for p in most if str(ids[p]) in found)])
        if not len(others) or visits[place] < LEAST_GUEST_VISITS:
            break
        times = GUEST_TIMES[name.lower() in GUEST_NAMES]
        if visits[place] < times * np.quantile(others, 0.99):
            continue
        own = shopper == codes[place]
        days = len(np.unique(day_numbers(lines["time"][own])))
        if name.lower() not in GUEST_NAMES and visits[place] < 2 * days:
            continue
        found.append(name)
        told.append(f"'{name}' ({own.mean():.0%} of the lines, {visits[place]:,} visits on {days:,} days)")
    if not found:
        return np.array([], dtype=object), ""
    sentence = f"taken as many people under one id: {', '.join(told)}; --guests none overrules"
    return np.array(found, dtype=object), sentence


def gaps(times: pd.Series) -> str:
    """A sentence on the weeks in which nothing was sold, "" where there are few."""
    weeks = np.unique((np.unique(day_numbers(times)) + 3) // 7)
    empty = np.diff(weeks) - 1
    places = np.flatnonzero(empty >= GAP_WEEKS)
    if not len(places):
        return ""
    parts = []
    for place in places[np.argsort(-empty[places])][:3]:
        first, last = (
            (week * 7 - 3).astype("datetime64[D]") for week in (weeks[place] + 1, weeks[place + 1])
        )
        parts.append(f"from {first} to {last - 1} ({empty[place]} weeks)")
    more = f", and {len(places) - 3} more" if len(places) > 3 else ""
    return f"no sale {', '.join(parts)}{more}; weeks without a sale count, too; --since leaves out early ones"


def rises_with_quantity(prices: pd.Series, quantity: pd.Series, items: pd.Series) -> bool:
    """Whether an item's price rises in proportion to the quantity, as only totals of lines do."""
    known = ((quantity > 0) & (prices > 0)).to_numpy()
    if not (known & (quantity != 1).to_numpy()).any():
        return False
    item, pieces, paid = sorted_codes(items), quantity.to_numpy(), prices.to_numpy()
    count, squares, products, rest, whole = 0, 0.0, 0.0, 0.0, 0.0
    for rows in parts_by(item):
        rows = rows[known[rows]]
        code = item[rows] - item[rows[:1]]
        size, price = (_centred(np.log(values[rows]), code) for values in (pieces, paid))
        varied = np.abs(size) > 1e-9
        size, price = size[varied], price[varied]
        count += len(size)
        squares, products = squares + size @ size, products + size @ price
        rest, whole = rest + np.abs(price - size).sum(), whole + np.abs(price).sum()
    if count < LEAST_LINES:
        return False
    return bool(abs(products / squares - 1) < 0.2 and rest < 0.5 * whole)


def _centred(values: np.ndarray, code: np.ndarray) -> np.ndarray:
    """(n,) `values` less the mean of those of equal `code`."""
    count = np.maximum(np.bincount(code), 1)
    return values - (np.bincount(code, values) / count)[code]


def part_receipts(lines: pd.DataFrame, hours: float) -> tuple[pd.Series, int]:
    """`basket`, with those whose lines of one shopper are more than `hours` apart told apart by a number
    behind; and how many."""
    limit = pd.Timedelta(hours=hours)
    codes = visit_codes(lines)
    runs = runs_of(*codes)
    order, first = groups_by(*(code[runs] for code in codes))
    begins = np.flatnonzero(first)
    times = lines["time"].to_numpy()
    latest, earliest = (
        extreme.reduceat(extreme.reduceat(times, runs)[order], begins) for extreme in (np.maximum, np.minimum)
    )
    too_long = latest - earliest > limit.to_timedelta64()
    if not too_long.any():
        return lines["basket"], 0
    wide = np.empty(len(runs), dtype=bool)
    wide[order] = np.repeat(too_long, np.diff(begins, append=len(runs)))
    wide = np.repeat(wide, np.diff(runs, append=len(lines)))
    basket = lines["basket"].astype("str")
    part = lines.loc[wide, ["shopper", "basket", "time"]].assign(basket=basket[wide])
    part = part.astype({"shopper": "str", "basket": "str"})
    part = part.sort_values(["shopper", "basket", "time"], kind="stable")
    same = part[["shopper", "basket"]].eq(part[["shopper", "basket"]].shift()).all(axis=1)
    starts = (~same | (part["time"].diff() > limit)).astype(int)
    number = starts.groupby([part["shopper"], part["basket"]]).cumsum()
    if (number == 1).all():
        return lines["basket"], 0
    split = (part["basket"] + "#" + number.astype("str")).where(number > 1, part["basket"])
    parted = int(part[number > 1].groupby(["shopper", "basket"]).ngroups)
    return basket.mask(wide, split.reindex(lines.index)).astype("category"), parted
