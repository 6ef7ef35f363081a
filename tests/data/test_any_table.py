"""Random tables in random forms, and random mappings: documented errors or right results, nothing else.

The judge is a slow reader of its own, below, that knows what was meant before it was written down.
`BUNDLEGYM_TABLES` and `BUNDLEGYM_MAPPINGS` set how many are tried, `BUNDLEGYM_FIRST` the first seed.
"""

from __future__ import annotations

import bz2
import csv
import gzip
import io
import lzma
import os
import re
import time
import zipfile
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from bundlegym.data import DataConfig, Log, build_dataset, clean, load_log
from bundlegym.errors import UserError

TABLES = int(os.environ.get("BUNDLEGYM_TABLES", "120"))
MAPPINGS = int(os.environ.get("BUNDLEGYM_MAPPINGS", "60"))
FIRST = int(os.environ.get("BUNDLEGYM_FIRST", "0"))
LONGEST_SECONDS = 20.0


@dataclass
class Line:
    """What was meant: None where nothing was written."""

    shopper: str | None
    item: str | None
    basket: str
    time: datetime | None
    quantity: float | None
    price: float | None


@dataclass
class Made:
    """A table as written, and how it is to be read."""

    lines: list[Line]
    path: Path
    mapping: dict[str, str]
    options: dict[str, Any] = field(default_factory=dict)
    clear: bool = True
    form: str = ""


# What was meant.


def draw_lines(rng: np.random.Generator) -> list[Line]:
    # Most are small, where oddities weigh most; some are long enough to be prepared.
    n = int(rng.integers(250, 500)) if rng.random() < 0.2 else int(rng.integers(1, 120))
    shoppers = [f"{p}{i}" for i, p in zip(range(1, 13), rng.choice(["c", "é", "00", "A-"], 12), strict=True)]
    items = [f"{rng.choice(['x', '0', 'SKU '])}{i}" for i in range(100, 112)]
    start = datetime(2023, 1, 1) + timedelta(days=int(rng.integers(0, 400)))
    span = int(rng.integers(1, 20)) * 7
    clock = rng.random() < 0.6
    fraction = rng.random() < 0.2
    prices = rng.choice([rng.uniform(0.2, 30, 12), rng.uniform(100, 3000, 12), rng.uniform(0.001, 0.02, 12)])
    decimals = 5 if prices.max() < 0.1 else int(rng.integers(0, 3))
    holes = rng.random() < 0.3
    lines = []
    for _ in range(n):
        moment = start + timedelta(days=int(rng.integers(0, span)))
        if clock:
            moment += timedelta(minutes=int(rng.integers(0, 1440)))
        which = int(rng.integers(0, 12))
        quantity = float(rng.choice([1, 1, 1, 2, 3, 12, 0, -1, -2, 5000]))
        if fraction and rng.random() < 0.3:
            quantity = float(round(rng.uniform(0.1, 3), 2))
        price = round(float(prices[which]) * float(rng.choice([1, 1, 0.8])), decimals)
        lines.append(
            Line(
                shopper=None if holes and rng.random() < 0.1 else str(rng.choice(shoppers)),
                item=None if holes and rng.random() < 0.05 else items[which],
                basket=f"B{int(rng.integers(0, max(2, n // 3)))}",
                time=None if holes and rng.random() < 0.05 else moment,
                quantity=quantity,
                price=None if holes and rng.random() < 0.05 else price,
            )
        )
    return lines


# How it is written.

DATES: dict[str, tuple[Callable[[datetime], str], bool]] = {
    "iso": (lambda t: t.strftime("%Y-%m-%d %H:%M:%S"), True),
    "iso T": (lambda t: t.strftime("%Y-%m-%dT%H:%M"), True),
    "dots": (lambda t: t.strftime("%d.%m.%Y %H:%M"), True),
    "day/month": (lambda t: t.strftime("%d/%m/%Y %H:%M"), False),
    "month/day": (lambda t: t.strftime("%m/%d/%y %I:%M %p"), False),
    "epoch": (lambda t: str(int((t - datetime(1970, 1, 1)).total_seconds())), True),
    "epoch ms": (lambda t: str(int((t - datetime(1970, 1, 1)).total_seconds()) * 1000), True),
    "excel": (lambda t: f"{(t - datetime(1899, 12, 30)).total_seconds() / 86400:.6f}", True),
    "UTC": (lambda t: t.strftime("%Y-%m-%d %H:%M:%S UTC"), True),
    "offset": (lambda t: t.strftime("%Y-%m-%dT%H:%M:%S+02:00"), True),
    "compact": (lambda t: t.strftime("%Y%m%d%H%M%S"), True),
    "month": (lambda t: t.strftime("%d-%b-%Y %H:%M"), True),
}
PACKED: dict[str, Callable[[bytes], bytes]] = {
    "": lambda b: b,
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
}
NAMES = {
    "shopper": ["shopper", "Customer ID", "Kunde, Nr."],
    "item": ["item", "StockCode"],
    "basket": ["basket", "Invoice"],
    "time": ["time", "Date"],
    "quantity": ["quantity", "Qty "],
    "price_paid": ["price", "Unit Price"],
}


def write_number(value: float, rng_style: str, decimal: str) -> str:
    text = f"{abs(value):.5f}".rstrip("0").rstrip(".")
    whole, _, part = text.partition(".")
    if rng_style == "grouped":
        sign = "," if decimal == "." else "."
        whole = f"{int(whole):,}".replace(",", sign)
    if rng_style == "spaced":
        whole = f"{int(whole):,}".replace(",", "\u00a0")
    text = whole + (decimal + part if part else "")
    if rng_style == "currency":
        text = f"{text} €" if decimal == "," else f"${text} "
    if value < 0:
        text = f"({text})" if rng_style == "brackets" else f"-{text}"
    return text


def draw_table(seed: int, folder: Path) -> Made:
    rng = np.random.default_rng(seed)
    lines = draw_lines(rng)
    form, (date, certain) = list(DATES.items())[int(rng.integers(len(DATES)))]
    decimal = str(rng.choice([".", ","]))
    style = str(rng.choice(["plain", "plain", "grouped", "spaced", "currency", "brackets"]))
    delimiter = str(rng.choice([",", ";", "\t", "|"]))
    encoding = str(rng.choice(["utf-8", "utf-8-sig", "cp1252", "utf-16"]))
    names = {ours: str(rng.choice(theirs)) for ours, theirs in NAMES.items()}
    nothing = str(rng.choice(["", "NULL", "nan", "N/A"]))
    amount = rng.random() < 0.25
    quantities = rng.random() < 0.85
    columns = [str(ours) for ours in rng.permutation(list(names)) if quantities or ours != "quantity"]
    options: dict[str, Any] = {"guests": ("none",)}
    if not certain and rng.random() < 0.5:
        options["day_first" if form == "day/month" else "month_first"] = True
        certain = True
    stated = rng.random() < 0.5
    if stated:
        options["decimal"] = decimal
    text = io.StringIO()
    writer = csv.writer(text, delimiter=delimiter, lineterminator=str(rng.choice(["\n", "\r\n"])))
    if preamble := rng.random() < 0.2:
        text.write("Export of shop 12\n\n")
    writer.writerow([*(names[ours] for ours in columns), "remark"])
    for line in lines:
        if not quantities:
            line.quantity = 1.0
        price = line.price
        if amount and price is not None and line.quantity is not None:
            price = round(price * line.quantity, 5)
            if line.quantity == 0 and line.price:
                # An amount without a quantity is a weighed sale.
                price = line.price
                line.quantity = 1.0
                written_quantity = 0.0
            else:
                line.price = abs(price / line.quantity) if line.quantity else 0.0
                written_quantity = line.quantity
        else:
            written_quantity = line.quantity or 0.0
        cells = {
            "shopper": nothing if line.shopper is None else line.shopper + str(rng.choice(["", "", " "])),
            "item": nothing if line.item is None else line.item,
            "basket": line.basket,
            "time": nothing if line.time is None else date(line.time),
            "quantity": write_number(written_quantity, "plain", decimal),
            "price_paid": nothing if price is None else write_number(price, style, decimal),
        }
        writer.writerow([*(cells[ours] for ours in columns), str(rng.choice(["", 'a "b" c', "x, y; z"]))])
    if rng.random() < 0.2:
        writer.writerow([names[ours] for ours in columns] + ["remark"])
    if rng.random() < 0.2:
        text.write("\n")
        if "basket" == columns[0]:
            text.write(f"Total{delimiter * (len(columns) - 3)}\n")
    content = text.getvalue().encode(encoding, errors="replace")
    packing = str(rng.choice(list(PACKED)))
    path = folder / f"t{seed}.csv{packing}"
    path.write_bytes(PACKED[packing](content))
    if packing == "" and rng.random() < 0.2:
        path = folder / f"t{seed}.zip"
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("table.csv", content)
    mapping = {ours: names[ours] for ours in columns}
    if amount:
        mapping["amount"] = mapping.pop("price_paid")
    told = f"{form} {decimal} {style} {delimiter!r} {encoding} amount={amount} preamble={preamble}"
    return Made(lines, path, mapping, options, certain and stated, f"seed {seed}: {told}")


# The slow reader.


def expected(lines: list[Line]) -> tuple[list[tuple[str, str, datetime, float, float, str]], Counter[str]]:
    """Usable lines as (shopper, item, time, pieces, price, basket), and those left out by reason."""
    dropped: Counter[str] = Counter()
    rest: list[Line] = []
    for line in lines:
        for name in ("shopper", "item", "time", "price"):
            if getattr(line, name) is None:
                dropped["no date" if name == "time" else f"no {name}"] += 1
                break
        else:
            rest.append(line)
    taken: set[int] = set()
    for with_price in (True, False):
        stacks: dict[Any, list[int]] = defaultdict(list)
        order = sorted(range(len(rest)), key=lambda i: (rest[i].time, (rest[i].quantity or 0) < 0))
        for i in order:
            line = rest[i]
            if i in taken:
                continue
            key: tuple[Any, ...] = (line.shopper, line.item, abs(line.quantity or 0.0))
            if with_price:
                key = (*key, round(line.price or 0.0, 6))
            if (line.quantity or 0) >= 0:
                stacks[key].append(i)
            elif stacks[key]:
                taken |= {stacks[key].pop(), i}
    kept = []
    for i, line in enumerate(rest):
        assert line.quantity is not None and line.price is not None
        assert line.shopper is not None and line.item is not None and line.time is not None
        quantity, price = line.quantity, line.price
        if i in taken:
            dropped["sale that was returned" if quantity >= 0 else "return of a sale"] += 1
        elif quantity < 0:
            dropped["return (negative quantity) without its sale"] += 1
        elif quantity == 0:
            dropped["quantity of zero"] += 1
        elif quantity > 1000:
            dropped["quantity above 1,000"] += 1
        elif price <= 0:
            dropped["no price (given away, or not recorded)"] += 1
        elif quantity % 1:
            kept.append((line.shopper, line.item, line.time, 1.0, price * quantity, line.basket))
        else:
            kept.append((line.shopper, line.item, line.time, quantity, price, line.basket))
    return kept, dropped


def parts_of_receipts(lines: list[Line]) -> dict[tuple[str, str], list[datetime]]:
    """Where a receipt's number starts anew: the first moment of each visit under one number."""
    moments: dict[tuple[str, str], list[datetime]] = defaultdict(list)
    for line in lines:
        if None not in (line.shopper, line.item, line.time, line.price):
            assert line.shopper and line.time
            moments[line.shopper, line.basket].append(line.time)
    starts: dict[tuple[str, str], list[datetime]] = {}
    for key, found in moments.items():
        found.sort()
        starts[key] = [t for i, t in enumerate(found) if i == 0 or t - found[i - 1] > timedelta(hours=12)]
    return starts


def judge(made: Made, log: Log, report: dict[str, Any]) -> None:
    kept, dropped = expected(made.lines)
    cleaned = log.transactions
    found = {row["reason"]: row["lines"] for row in report["dropped"] if row["lines"]}
    found.pop("header that comes again", None)
    for reason in ("no shopper", "no item"):
        if found.get(reason, 0) == dropped[reason] + 1:  # The totals below the table.
            found[reason] -= 1
            found = {key: count for key, count in found.items() if count}
    assert found == dict(dropped), made.form
    starts = parts_of_receipts(made.lines)
    visits = Counter(
        (shopper, basket, max(t for t in starts[shopper, basket] if t <= moment))
        for shopper, _, moment, _, _, basket in kept
    )
    got = cleaned.groupby(["shopper", "basket"]).size()
    assert sorted(got) == sorted(visits.values()), made.form

    def order(row: tuple[Any, ...]) -> tuple[Any, ...]:
        return (row[0], row[1], row[2], row[3], round(row[4], 4))

    want = sorted(((s, i, t, q, p) for s, i, t, q, p, _ in kept), key=order)
    columns = ["shopper", "item", "time", "quantity", "price_paid"]
    have = sorted(cleaned[columns].itertuples(index=False, name=None), key=order)
    assert len(want) == len(have), made.form
    for wanted, had in zip(want, have, strict=True):
        assert wanted[:2] == had[:2] and wanted[3] == had[3], (made.form, wanted, had)
        assert abs(pd.Timestamp(wanted[2]) - had[2]) <= pd.Timedelta(seconds=1), (made.form, wanted, had)
        assert wanted[4] == pytest.approx(had[4], rel=1e-6, abs=1e-9), (made.form, wanted, had)


def judge_dataset(log: Log, config: DataConfig, name: str) -> str:
    try:
        dataset = build_dataset(log, config)
    except UserError:
        return "too small"
    lines = clean(log, config)[0].transactions
    assert dataset.purchases["quantity"].sum() == lines["quantity"].sum(), name
    worth = (lines["quantity"] * lines["price_paid"]).sum()
    assert (dataset.purchases["quantity"] * dataset.purchases["price_paid"]).sum() == pytest.approx(worth)
    assert dataset.n_shoppers == lines["shopper"].nunique()
    monday = lines["time"].min().normalize() - pd.Timedelta(days=lines["time"].min().weekday())
    assert dataset.n_weeks == (lines["time"].max() - monday).days // 7 + 1, name
    for prices in (dataset.list_price, dataset.shelf_price):
        assert np.isfinite(prices).all() and (prices > 0).all(), name
    return "prepared"


def check_sentence(error: UserError, name: str) -> None:
    """An error is one line in words, without the names of anything of Python's or numpy's."""
    text = str(error)
    assert "\n" not in text and not re.search(r"np\.|numpy|dtype|Traceback|<class", text), (name, text)


def try_table(seed: int, folder: Path) -> str:
    made = draw_table(seed, folder)
    config = DataConfig(min_purchases=1, **made.options)
    begin = time.process_time()
    try:
        log = load_log(made.path, made.mapping, options=config)
    except UserError as error:
        check_sentence(error, made.form)
        usable = bool(expected(made.lines)[0])
        assert not (made.clear and usable), f"{made.form}: refused though all is said: {error}"
        return "refused"
    finally:
        made.path.unlink()
    try:
        cleaned, report = clean(log, config)
    except UserError:
        assert not expected(made.lines)[0], made.form
        return "nothing left"
    judge(made, cleaned, report)
    outcome = judge_dataset(log, config, made.form)
    # Of this process: the clock would tell of others.
    assert time.process_time() - begin < LONGEST_SECONDS, made.form
    return outcome


def test_random_tables_are_read_right_or_refused(tmp_path: Path) -> None:
    outcomes = Counter(try_table(seed, tmp_path) for seed in range(FIRST, FIRST + TABLES))
    print(outcomes)
    assert outcomes["refused"] < 0.5 * TABLES


# Random mappings of one plain table.


#: Our name -> columns of the table that it may sensibly mean.
SENSIBLE = {
    "shopper": ["who", "card"],
    "item": ["what"],
    "price_paid": ["cost", "dear"],
    "amount": ["total"],
    "time": ["when"],
    "day": ["day no"],
    "week": ["week no"],
    "quantity": ["count"],
    "basket": ["receipt"],
    "store": ["branch"],
    "list_price": ["dear"],
    "discount_amount": ["off"],
    "coupon_discount": ["off", "coupon"],
    "event": ["action"],
}
IDS = ("shopper", "item", "basket", "store", "event")


def draw_columns(rng: np.random.Generator) -> dict[str, list[str]]:
    """The columns of a table, as text."""
    n = int(rng.integers(300, 450)) if rng.random() < 0.2 else int(rng.integers(1, 60))
    count = rng.choice([1, 1, 1, 2, 3, 0, -1], n)
    # No price is whole, so that none looks like an id that a spreadsheet wrote as a number.
    cents = rng.integers(1, 9, n) * 100 + rng.integers(1, 100, n)
    start = datetime(2024, 1, 1) + timedelta(days=int(rng.integers(0, 300)))
    moments = [start + timedelta(hours=int(h), minutes=7) for h in rng.integers(0, 24 * 90, n)]
    event = "action" if rng.random() < 0.5 else "how"
    table = {
        "who": [f"w{v}" if v else "" for v in rng.integers(0, 15, n)],
        "card": [f"00{v}" for v in rng.integers(1, 15, n)],
        "what": [f"i{v}" for v in rng.integers(1, 13, n)],
        "when": [moment.strftime("%Y-%m-%d %H:%M") for moment in moments],
        "day no": [str((moment - start).days + 400) for moment in moments],
        "week no": [str((moment - start).days // 7 + 12) for moment in moments],
        "count": [str(v) for v in count],
        "cost": [f"{v / 100:.2f}" for v in cents],
        "dear": [f"{(v + 250) / 100:.2f}" for v in cents],
        "total": [f"{c * v / 100:.2f}" if c else "1.25" for c, v in zip(count, cents, strict=True)],
        "off": [f"-{v / 100:.2f}" if v else "" for v in rng.integers(0, 90, n)],
        "coupon": [f"{v / 100:.2f}" for v in rng.integers(11, 90, n)],
        "receipt": [f"r{v}" for v in rng.integers(1, max(2, n // 3), n)],
        "branch": [str(v) for v in rng.choice(["north", "south"], n)],
        event: [str(v) for v in rng.choice(["view", "purchase", "Purchase"], n)],
        "note": [str(v) for v in rng.choice(["", "yes", "no"], n)],
    }
    return {name: table[name] for name in (str(key) for key in rng.permutation(list(table)))}


def draw_mapping(rng: np.random.Generator, names: list[str]) -> dict[str, str]:
    """What a person would say, with a slip or two in half of the cases."""
    wanted = ["shopper", "item", str(rng.choice(["price_paid", "amount"]))]
    wanted.append(str(rng.choice(["time", "time", "time", "day", "week", "basket"])))
    wanted += [name for name in SENSIBLE if name not in ("price_paid", "amount") and rng.random() < 0.3]
    mapping = {}
    for ours in dict.fromkeys(wanted):
        known = [theirs for theirs in SENSIBLE[ours] if theirs in names]
        if known:
            mapping[ours] = str(rng.choice(known))
    for _ in range(int(rng.choice([0, 0, 1, 1, 2]))):
        slip = rng.random()
        ours = str(rng.choice(list(mapping)))
        if slip < 0.15:
            del mapping[ours]
        elif slip < 0.25:
            mapping[ours] = "gone"
        elif slip < 0.5:
            mapping[str(rng.choice(list(SENSIBLE)))] = str(rng.choice(names))
        else:
            mapping[ours] = str(rng.choice(names))
    return mapping


@dataclass
class Sale:
    """A line as the slow reader understands it."""

    shopper: str
    item: str
    visit: str
    moment: float
    quantity: float
    price: float
    listed: float


def slow_sales(rows: list[dict[str, str]], mapping: dict[str, str]) -> list[Sale]:
    """What a mapping means, by Python's own float and strptime; ValueError where it means nothing."""
    mapping = dict(mapping)
    if "time" in mapping:
        mapping.pop("day", None), mapping.pop("week", None)
    if "action" in rows[0] and "event" not in mapping and "action" not in mapping.values():
        mapping["event"] = "action"
    sales = []
    for row in rows:
        cell = {ours: row[theirs].strip() for ours, theirs in mapping.items()}
        value = {name: float(text) for name, text in cell.items() if name not in (*IDS, "time") and text}
        if "event" in cell and cell["event"].lower() != "purchase":
            continue
        if "time" in cell and cell["time"]:
            time = datetime.strptime(cell["time"], "%Y-%m-%d %H:%M")
            value["time"] = (time - datetime(2000, 1, 1)).total_seconds() / 3600
        needed = ("time", "day", "week", "price_paid", "amount", "quantity")
        if any(name in mapping and name not in value for name in needed):
            continue
        if not cell["shopper"] or not cell["item"]:
            continue
        quantity = value.get("quantity", 1.0)
        pieces = abs(quantity) or 1.0
        coupon = abs(value.get("coupon_discount", 0.0))
        if "amount" in mapping:
            price, coupon = value["amount"] / pieces, coupon / pieces
            quantity = 1.0 if quantity == 0 and value["amount"] else quantity
        else:
            price = value["price_paid"]
        if price < 0 or quantity < 0:
            quantity = -abs(quantity)
        price = abs(price)
        listed = abs(value.get("list_price", price))
        if "discount_amount" in mapping:
            listed = price + coupon + abs(value.get("discount_amount", 0.0)) / pieces
        moment = value.get("time", 24 * value["day"] if "day" in value else 168 * value.get("week", 0.0))
        receipt = cell.get("basket", f"day {moment // 24}")
        if "basket" in cell and "store" in cell:
            receipt = f"{cell['store']} {receipt}"
        sales.append(Sale(cell["shopper"], cell["item"], receipt, moment, quantity, price, listed))
    return sales


def visit_sizes(sales: list[Sale], receipts_known: bool) -> list[int]:
    """How many lines each visit has; a receipt whose lines are half a day apart is two visits."""
    receipts: dict[tuple[str, str], list[float]] = defaultdict(list)
    for sale in sales:
        receipts[sale.shopper, sale.visit].append(sale.moment)
    sizes = []
    for moments in receipts.values():
        moments.sort()
        sizes.append(1)
        for before, after in zip(moments, moments[1:], strict=False):
            if receipts_known and after - before > 12:
                sizes.append(0)
            sizes[-1] += 1
    return sorted(sizes)


def try_mapping(seed: int, folder: Path) -> str:
    """A table under a random mapping, most of them sensible, against the slow reader."""
    rng = np.random.default_rng(seed)
    columns = draw_columns(rng)
    mapping = draw_mapping(rng, list(columns))
    path = folder / f"m{seed}.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        writer.writerows(zip(*columns.values(), strict=True))
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    config = DataConfig(guests=("none",), since="1900-01-01", line_totals="no", min_purchases=1)
    try:
        log = load_log(path, mapping, options=config)
    except UserError as error:
        check_sentence(error, f"seed {seed}")
        if all(theirs in SENSIBLE[ours] for ours, theirs in mapping.items()):
            # What is said is sensible, so that something must be lacking.
            lacking = not {"shopper", "item"} <= set(mapping) or not {"price_paid", "amount"} & set(mapping)
            lacking |= {"price_paid", "amount"} <= set(mapping)
            lacking |= not {"time", "day", "week", "basket"} & set(mapping)
            assert lacking or not slow_sales(rows, mapping), (seed, mapping, str(error))
        return "refused"
    finally:
        path.unlink()
    sales = slow_sales(rows, mapping)
    got = log.transactions
    assert len(got) == len(sales), (seed, mapping)

    def order(row: tuple[Any, ...]) -> tuple[Any, ...]:
        return (*row[:3], *(round(value, 4) for value in row[3:]))

    listed = {"list_price", "discount_amount"} & set(mapping)
    names = ["shopper", "item", "quantity", "price_paid", *(["list_price"] if listed else [])]
    want = sorted(
        ((s.shopper, s.item, s.quantity, s.price, *((s.listed,) if listed else ())) for s in sales), key=order
    )
    have = sorted(got[names].itertuples(index=False, name=None), key=order)
    for wanted, had in zip(want, have, strict=True):
        assert wanted[:2] == had[:2], (seed, mapping, wanted, had)
        assert wanted[2:] == pytest.approx(had[2:], rel=1e-6), (seed, mapping, wanted, had)
    visits = sorted(got.groupby(["shopper", "basket"]).size())
    assert visits == visit_sizes(sales, "basket" in mapping), (seed, mapping)
    hours = (got["time"] - got["time"].min()).dt.total_seconds() / 3600
    if {"time", "day", "week"} & set(mapping):
        first = min(sale.moment for sale in sales)
        assert sorted(hours) == pytest.approx(sorted(s.moment - first for s in sales)), (seed, mapping)
    if "time" in mapping and "day" in mapping:
        assert "not read" in log.assumptions["day"], (seed, mapping)
    try:
        cleaned, _ = clean(log, config)
    except UserError as error:
        check_sentence(error, f"seed {seed}")
        return "nothing left"
    assert len(cleaned.transactions) <= len(got)
    return judge_dataset(log, config, f"seed {seed}: {mapping}")


def test_random_mappings_are_followed_or_refused(tmp_path: Path) -> None:
    outcomes = Counter(try_mapping(seed, tmp_path) for seed in range(FIRST, FIRST + MAPPINGS))
    print(outcomes)
    assert outcomes["refused"] < 0.5 * MAPPINGS
