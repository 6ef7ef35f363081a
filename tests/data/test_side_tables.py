# ruff: noqa: E501  (a wrong table and its message stand on one line)
"""Tables beside a log: right values of each, and one clear sentence for each kind of wrong one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from bundlegym.data import DataConfig, build_dataset, load_log, prepare
from bundlegym.data.inspection import inspect_log
from bundlegym.errors import UserError

#: Twelve shoppers buy one of twelve items on each Monday, Wednesday and Saturday of six weeks.
WEEKS, PEOPLE = 6, 12
MONDAY = pd.Timestamp("2024-01-01")


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    rows = [
        (f"s{who}", f"i{(who + visit) % PEOPLE}", MONDAY + pd.Timedelta(days=7 * week + day), 4.0)
        for week in range(WEEKS)
        for visit, day in enumerate((0, 2, 5))
        for who in range(PEOPLE)
    ]
    frame = pd.DataFrame(rows, columns=["shopper", "item", "time", "price"])
    frame.assign(week=(frame["time"] - MONDAY).dt.days // 7 + 31).to_csv(tmp_path / "sales.csv", index=False)
    return tmp_path / "sales.csv"


def with_tables(shop: Path, *, columns: str = "", **tables: str):
    """The log beside tables, given as their text; `columns` is the columns file."""
    for name, text in tables.items():
        (shop.parent / f"{name}.csv").write_text(text, encoding="utf-8")
    (shop.parent / "columns.toml").write_text(columns, encoding="utf-8")
    named = {name: f"{name}.csv" for name in tables}
    return load_log(shop, columns_file=shop.parent / "columns.toml", tables=named)


def shares(log):
    rows = log.promotions.itertuples(index=False)
    return {(r.item, r.week): (pytest.approx(r.display), pytest.approx(r.mailer)) for r in rows}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # Shares as they stand.
        ("item,week,display,mailer\ni1,31,0.5,1\ni2,36,0,0.25\n", {("i1", 1): (0.5, 1), ("i2", 6): (0, 0.25)}),
        ("item,week,display,mailer\ni1,31,50%,\ni2,36,0%,25%\n", {("i1", 1): (0.5, 0), ("i2", 6): (0, 0.25)}),
        ("item;week;display\ni1;31;0,5\n", {("i1", 1): (0.5, 0)}),
        # Codes of stores; store b lists only another item in week 32.
        (
            "item,store,week,display,mailer\ni1,a,31,0,H\ni1,b,31,3,0\ni1,a,32,7,A\ni2,b,32,0,A\n",
            {("i1", 1): (0.5, 0.5), ("i1", 2): (0.5, 0.5), ("i2", 2): (0, 0.5)},
        ),
        ("item,week,mailer\ni1,31,F\ni2,31,A\ni3,31,0\n", {("i1", 1): (0, 1), ("i2", 1): (0, 1)}),
        ("item,week,mailer\ni1,31,F\ni2,31,T\n", {("i2", 1): (0, 1)}),
        ("item,week,display\ni1,31,yes\ni2,31,no\ni3,31,\n", {("i1", 1): (1, 0)}),
        # Dates of one weekday are weeks from it; the second half of a week from Thursday lies in the next.
        ("item,time,mailer\ni1,2024-01-08,1\ni1,2024-01-15,1\n", {("i1", 2): (0, 1), ("i1", 3): (0, 1)}),
        (
            "item,time,mailer\ni1,2024-01-04,1\ni2,2024-01-11,1\n",
            {("i1", 1): (0, 4 / 7), ("i1", 2): (0, 3 / 7), ("i2", 2): (0, 4 / 7), ("i2", 3): (0, 3 / 7)},
        ),
        # Single days.
        ("item,time,display\ni1,2024-01-01,1\ni1,2024-01-02,1\ni1,2024-01-10,1\n", {("i1", 1): (2 / 7, 0), ("i1", 2): (1 / 7, 0)}),
        # From and to, both included, cut off where the log begins and ends; overlaps count once.
        (
            "item,first_day,last_day,mailer\ni1,2023-12-20,2024-01-03,1\ni1,2024-01-02,2024-01-09,1\n"
            "i2,2024-02-11,2024-03-01,1\n",
            {("i1", 1): (0, 1), ("i1", 2): (0, 2 / 7), ("i2", 6): (0, 1 / 7)},
        ),
    ],
)  # fmt: skip
def test_promotions_become_shares_of_stores_by_item_and_week(shop: Path, text: str, expected: dict) -> None:
    assert shares(with_tables(shop, promotions=text)) == expected


def test_promotions_stand_in_the_dataset(shop: Path) -> None:
    log = with_tables(shop, promotions="item,week,display,mailer\ni1,31,0.5,1\n")
    data = build_dataset(log, DataConfig(min_purchases=1))
    item = data.items["item"].tolist().index("i1")
    assert data.display[item].tolist() == [0.5, 0, 0, 0, 0, 0]
    assert data.mailer.sum() == 1 and "promotions" not in data.report["assumptions"]


def test_weeks_without_a_log_of_weeks_are_counted_from_its_first_line(shop: Path) -> None:
    lines = pd.read_csv(shop).drop(columns="week")
    lines.to_csv(shop, index=False)
    log = with_tables(shop, promotions="item,week,mailer\ni1,2,1\n")
    assert shares(log) == {("i1", 2): (0, 1)}
    assert "week 1 is taken as that of its first line" in log.assumptions["promotions, week"]


def test_what_is_known_of_shoppers_is_read_under_the_files_names_or_ours(shop: Path) -> None:
    text = "shopper,AGE,Kids\ns1,45-54,2\ns2,35-44,\nzz,20,1\n"
    log = with_tables(shop, shoppers=text)
    assert log.shoppers.to_dict("list") == {
        "shopper": ["s1", "s2", "zz"], "AGE": ["45-54", "35-44", "20"], "Kids": ["2", "", "1"],
    }  # fmt: skip
    assert "1 of 3 shoppers are not in the log (zz)" in log.assumptions["shoppers, read"]
    assert "known of 2 of 12 shoppers" in log.assumptions["shoppers, read"]
    log = with_tables(shop, columns='[shoppers]\nshopper = "shopper"\nage = "AGE"\n', shoppers=text)
    assert list(log.shoppers) == ["shopper", "age"]
    data = build_dataset(log, DataConfig(min_purchases=1))
    assert data.shoppers.set_index("shopper")["age"].to_dict()["s1"] == "45-54"


CAMPAIGNS = {
    "campaigns": "campaign,first_day,last_day,kind\nc1,2024-01-08,2024-01-21,A\nc2,2023-01-01,2023-02-01,B\n",
    "members": "campaign,shopper\nc1,s1\nc1,s1\nc1,s2\nc2,s3\n",
    "coupons": "campaign,coupon,item\nc1,u1,i1\nc1,u1,i2\nc1,u2,i3\nc2,u9,i1\n",
    "redemptions": "campaign,shopper,coupon\nc1,s1,u1\nc1,s1,u1\n",
}


def test_campaigns_say_who_had_a_coupon_for_what_when(shop: Path) -> None:
    columns = "[campaigns]\nreceived = { A = 1 }\n"
    data = build_dataset(with_tables(shop, columns=columns, **CAMPAIGNS), DataConfig(min_purchases=1))
    found = data.campaigns
    assert found is not None
    assert found.table.to_dict("records")[0] == {
        "campaign": "c1", "kind": "A", "first_day": 7, "last_day": 20, "coupons": 2, "received": 1,
        "redeemed": 2.0,
    }  # fmt: skip
    assert data.shoppers["shopper"][found.members[0]].tolist() == ["s1", "s2"]
    assert data.items["item"][found.items[0]].tolist() == ["i1", "i2", "i3"]
    assert found.running(data.n_weeks)[0].tolist() == [0, 1, 1, 0, 0, 0]
    assert found.reached_all().tolist() == [False, True]


def test_costs_count_from_their_day_to_the_next(shop: Path) -> None:
    text = (
        "item,time,unit_cost\ni1,2023-11-01,9\ni1,2023-12-01,1\ni1,2024-01-10,3\ni2,2024-01-15,2\n"
        "i1,2024-06-01,7\n"
    )
    log = with_tables(shop, costs=text)
    assert "1: day after the log" in log.assumptions["table costs"]
    data = build_dataset(log, DataConfig(min_purchases=1, gross_margin=0.5))
    items = data.items["item"].tolist()
    # On two of the second week's days the cost is the old one.
    expected = [1, (2 * 1 + 5 * 3) / 7, 3, 3, 3, 3]
    np.testing.assert_allclose(data.unit_cost[items.index("i1")], expected, rtol=1e-6)
    np.testing.assert_allclose(data.unit_cost[items.index("i2")], 2.0)
    np.testing.assert_allclose(data.unit_cost[items.index("i3")], 2.0)  # half of the list price
    assert "10 of 12 items" in data.report["assumptions"]["unit_cost"]
    by_week = with_tables(shop, costs="item,week,unit_cost\ni1,31,1\ni1,33,2\n")
    data = build_dataset(by_week, DataConfig(min_purchases=1))
    np.testing.assert_allclose(data.unit_cost[items.index("i1")], [1, 1, 2, 2, 2, 2])
    always = with_tables(shop, costs="item,unit_cost\ni1,1.5\n")
    np.testing.assert_allclose(
        build_dataset(always, DataConfig(min_purchases=1)).unit_cost[items.index("i1")], 1.5
    )


def test_stock_is_told_beside_results_and_stores_are_not_read(shop: Path) -> None:
    text = "item,time,store,on_hand\ni1,2024-01-01,a,0\ni1,2024-01-01,b,2\ni1,2024-01-02,a,0\ni1,2024-01-02,b,-1\n"
    log = with_tables(shop, stock=text, stores="store,city\na,Ulm\n")
    assert "not there on 50.0% of 2 item-days" in log.notes[0]
    assert "no model knows stores" in log.assumptions["table stores"]
    assert log.notes[0] in build_dataset(log, DataConfig(min_purchases=1)).notes


def test_items_have_a_mapping_of_their_own(shop: Path) -> None:
    columns = '[items]\nitem = "SKU"\nname = "Text"\noptions = { delimiter = "|" }\n'
    log = with_tables(shop, columns=columns, items="SKU|Text|Cost\ni1|Soup|1\n")
    assert log.items.to_dict("records") == [{"item": "i1", "name": "Soup"}]


def test_the_command_line_names_tables_and_their_columns(shop: Path, tmp_path: Path) -> None:
    (tmp_path / "causal.csv").write_text("PRODUCT_ID,WEEK_NO,mailer\ni1,32,1\n")
    config = DataConfig(
        log=str(shop), min_purchases=1, cache_dir=tmp_path / "cache", table=("promotions=causal.csv",),
        map=("promotions.item=PRODUCT_ID", "promotions.week=WEEK_NO"),
    )  # fmt: skip
    assert prepare(config, progress=False).mailer.sum() == 1
    (tmp_path / "causal.csv").write_text("PRODUCT_ID,WEEK_NO,mailer\ni1,32,1\ni2,32,0.25\n")
    assert prepare(config, progress=False).mailer.sum() == 1.25  # a changed table is read again
    found = inspect_log([shop], config)
    assert "mailer of 2 items in 1 weeks" in " ".join(found.support)
    assert "causal.csv: 2 rows" in found.as_json()["tables"]["promotions"]
    assert "Tables beside the log" in found.as_text()
    (tmp_path / "all.toml").write_text(found.as_toml())
    again = load_log(shop, columns_file=tmp_path / "all.toml")
    assert again.promotions is not None and len(again.promotions) == 2


def test_the_store_of_a_line_is_told(shop: Path) -> None:
    pd.read_csv(shop).assign(store="a", basket=1).to_csv(shop, index=False)
    assert "a receipt number counts within its store" in load_log(shop).assumptions["store"]


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        # A missing column, with what is there and what to say.
        ({"promotions": "sku,week,mailer\ni1,31,1\n"}, r"promotions .*promotions\.csv: no column for item; it has: sku, week, mailer.*--map promotions\.item=NAME"),
        ({"promotions": "item,week\ni1,31\n"}, r"no column for display or mailer"),
        ({"promotions": "item,mailer\ni1,1\n"}, r"one column must say when: week, time, day, first_day; it has none"),
        ({"promotions": "item,week,time,mailer\ni1,31,2024-01-01,1\n"}, r"one column must say when.*it has week, time"),
        ({"promotions": "item,first_day,mailer\ni1,2024-01-01,1\n"}, r"first_day and last_day go together"),
        ({"shoppers": "household,age\ns1,3\n"}, r"shoppers.*no column for shopper; it has: household, age"),
        ({"costs": "item,price\ni1,3\n"}, r"costs.*no column for unit_cost"),
        # Ids that the log has not.
        ({"promotions": "item,week,mailer\nx1,31,1\n"}, r"column 'item' must name items of the log.*first is 'x1'"),
        ({"shoppers": "shopper,age\nx1,3\n"}, r"column 'shopper' must name shoppers of the log, but none of its 1 is one; the first is 'x1', and the log has 's0'"),
        ({"costs": "item,unit_cost\nx1,3\n"}, r"must name items of the log"),
        ({**CAMPAIGNS, "members": "campaign,shopper\nc7,s1\n"}, r"members.*must name one of the campaigns, but 1 of 1 rows do not; the first is 'c7'"),
        ({**CAMPAIGNS, "coupons": "campaign,coupon,item\nc1,u1,x\n"}, r"coupons.*must name items of the log"),
        # Dates out of range.
        ({"promotions": "item,week,mailer\ni1,3,1\n"}, r"no row is of a week of the log, which goes from 2024-01-01 to 2024-02-10"),
        ({"promotions": "item,time,mailer\ni1,2019-01-07,1\n"}, r"no row is of a week of the log"),
        ({"promotions": "item,first_day,last_day,mailer\ni1,2024-01-07,2024-01-01,1\n"}, r"'last_day' must not be before the first day"),
        ({"promotions": "item,time,mailer\ni1,soon,1\n"}, r"'time' must hold dates.*row 1: 'soon'"),
        ({"promotions": "item,week,mailer\ni1,31.5,1\n"}, r"'week' must hold whole numbers of weeks.*31\.5"),
        ({"promotions": "item,day,mailer\ni1,3,1\n"}, r"the log has dates.*'day' of numbers of days cannot be placed; map a date as time"),
        ({"costs": "item,time,unit_cost\ni1,2025-01-01,1\n"}, r"no cost is of a day of the log, which ends on 2024-02-10"),
        ({"stock": "item,time,on_hand\ni1,2025-01-01,1\n"}, r"stock.*no row is of a week of the log"),
        ({**CAMPAIGNS, "campaigns": "campaign,first_day,last_day\nc1,2023-01-08,2023-01-21\n"}, r"no campaign ran in the days of the log"),
        ({**CAMPAIGNS, "campaigns": "campaign,first_day,last_day\nc1,2024-01-08,2024-01-02\n"}, r"must not be before the first day.*campaign c1"),
        # Two rows for one key.
        ({"shoppers": "shopper,age\ns1,3\ns1,4\n"}, r"one row for each shopper, but 2 rows of 2.*the first is s1"),
        ({"costs": "item,time,unit_cost\ni1,2024-01-01,1\ni1,2024-01-01,2\n"}, r"one row for each item, day.*i1, 2024-01-01"),
        ({"stock": "item,time,on_hand\ni1,2024-01-01,1\ni1,2024-01-01,2\n"}, r"one row for each item, day"),
        ({**CAMPAIGNS, "campaigns": "campaign,first_day,last_day\nc1,2024-01-08,2024-01-21\nc1,2024-01-08,2024-01-22\n"}, r"one row for each campaign"),
        # Shares and costs that cannot be.
        ({"promotions": "item,week,mailer\ni1,31,1.2\n"}, r"'mailer' must hold shares of stores in 0\.\.1.*has 1\.2; map the store"),
        ({"promotions": "item,week,mailer\ni1,31,3\n"}, r"shares of stores in 0\.\.1"),
        ({"promotions": "item,week,mailer\ni1,31,-1\n"}, r"shares of stores in 0\.\.1"),
        ({"promotions": "item,week,mailer\ni1,31,0.5\ni1,32,A\n"}, r"shares of stores in 0\.\.1, or codes.*has 0\.5"),
        ({"costs": "item,unit_cost\ni1,-1\n"}, r"'unit_cost' must be 0 or more.*item i1: -1"),
        ({"costs": "item,unit_cost\ni1,dear\n"}, r"'unit_cost' must hold numbers.*'dear'"),
        # Parts of a whole.
        ({"members": CAMPAIGNS["members"]}, r"members say nothing without campaigns, coupons"),
        ({"shoppers": "shopper\ns1\n"}, r"it says nothing of a shopper but who they are"),
        ({"shoppers": "shopper,age\n"}, r"it has no rows"),
        ({"promotions": "item,week,mailer\n,31,1\n"}, r"no row is left \(no item: 1\)"),
    ],
)  # fmt: skip
def test_a_wrong_table_is_refused_in_one_sentence(shop: Path, tables: dict, message: str) -> None:
    with pytest.raises(UserError, match=message) as error:
        with_tables(shop, **tables)
    assert "np." not in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ('[promo]\nfile = "x.csv"\n', r"columns\.toml: \[promo\] is no table; known are: items, shoppers"),
        ('[promotions]\nfile = "x.csv"\nprice = "y"\n', r"'price' is no column of promotions; known are: item"),
        ('[promotions]\nitem = "y"\n', r"promotions: no file is given; --table promotions=FILE"),
        ('[promotions]\nfile = "x.csv"\n', r"x\.csv: no such file"),
        ("[promotions]\nfile = 3\n", r"\[promotions\] file must be a name in quotes, but is 3"),
        ('[promotions]\nfile = "p.csv"\nitem = "itme"\n', r"no column 'itme' \(mapped to 'item'\) \(is 'item' meant\?\)"),
        ('[promotions.options]\nguests = ["x"]\n', r"\[promotions\.options\] may hold encoding"),
        ('[campaigns]\nreceived = { A = "many" }\n', r"received must say how many coupons"),
    ],
)  # fmt: skip
def test_a_wrong_columns_file_is_refused_in_one_sentence(shop: Path, columns: str, message: str) -> None:
    (shop.parent / "p.csv").write_text("item,week,mailer\ni1,31,1\n")
    with pytest.raises(UserError, match=message):
        with_tables(shop, columns=columns)


def test_wrong_options_are_refused_in_one_sentence(shop: Path, tmp_path: Path) -> None:
    def run(**options: Any) -> None:
        prepare(DataConfig(log=str(shop), cache_dir=tmp_path / "cache", **options), progress=False)

    with pytest.raises(UserError, match=r"--table: 'promotions' is not of the form NAME=FILE"):
        run(table=("promotions",))
    with pytest.raises(UserError, match=r"--table: 'promo' is no table; known are: items"):
        run(table=("promo=x.csv",))
    with pytest.raises(UserError, match=r"--map promotions\.sku: 'sku' is no column of promotions"):
        run(map=("promotions.sku=x",))
    with pytest.raises(UserError, match=r"--map promo\.item: 'promo' is no table"):
        run(map=("promo.item=x",))


def slow_shares(rows: list[dict], weeks: int, by_store: bool) -> dict[tuple[str, int], float]:
    """Mailer shares day by day and store by store."""
    cells: dict[tuple[str, str, int], float] = {}
    stores: dict[int, set[str]] = {}
    for row in rows:
        for day in range(max(row["first"], 0), min(row["last"], 7 * weeks - 1) + 1):
            stores.setdefault(day // 7, set()).add(row["store"])
            key = row["item"], row["store"], day
            cells[key] = max(cells.get(key, 0.0), row["mailer"])
    shares: dict[tuple[str, int], float] = {}
    for (item, _, day), value in cells.items():
        if item != "unknown" and value:
            n = len(stores[day // 7]) if by_store else 1
            shares[item, day // 7 + 1] = shares.get((item, day // 7 + 1), 0.0) + value / 7 / n
    return shares


@pytest.mark.parametrize("seed", range(12))
def test_random_promotions_are_those_of_a_slow_reader(shop: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    by_store, kind = seed % 2 == 0, ("first_day", "time", "week")[seed % 3]
    rows = []
    for _ in range(int(rng.integers(1, 60))):
        first = int(rng.integers(-20, 50))
        last = first + int(rng.integers(0, 20))
        if kind == "time":
            last = first
        if kind == "week":
            first, last = 7 * (first // 7), 7 * (first // 7) + 6
        rows.append(
            {
                "item": str(rng.choice(["i1", "i2", "i3", "unknown"])),
                "store": str(rng.choice(["a", "b", "c"])) if by_store else "",
                "first": first,
                "last": last,
                "mailer": float(rng.choice([0, 1, 1])) if by_store else float(rng.choice([0, 0.25, 1])),
            }
        )
    rows.append({"item": "i1", "store": "a" if by_store else "", "first": 2, "last": 2, "mailer": 1.0})
    if kind == "week":
        rows[-1] |= {"first": 0, "last": 6}
    frame = pd.DataFrame(rows)
    when = MONDAY + pd.to_timedelta(frame["first"], unit="D")
    if kind == "week":
        frame["week"] = frame["first"] // 7 + 31
    else:
        frame[kind] = when.dt.strftime("%d.%m.%Y")
    if kind == "first_day":
        frame["last_day"] = (MONDAY + pd.to_timedelta(frame["last"], unit="D")).dt.strftime("%d.%m.%Y")
    if kind == "time" and frame["first"].mod(7).nunique() == 1:
        return
    columns = ["item", kind, "mailer", *(["last_day"] if kind == "first_day" else [])]
    columns += ["store"] if by_store else []
    log = with_tables(shop, promotions=frame[columns].to_csv(index=False))
    found = log.promotions.set_index(["item", "week"])["mailer"].to_dict()
    assert found == pytest.approx(slow_shares(rows, WEEKS, by_store), rel=1e-5)
