import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bundlegym.data import DataConfig, Log, build_dataset, load_log
from bundlegym.data.config import ReadOptions
from bundlegym.errors import UserError

from .conftest import OWN_NAMES

HEADER = "shopper,time,item,price\n"


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_four_columns_are_enough(csv: Path, log: Log) -> None:
    loaded = load_log(csv, OWN_NAMES)
    assert len(loaded.transactions) == len(log.transactions)
    assert set(loaded.assumptions) == {"quantity", "basket", "list_price"}
    baskets = log.transactions[["shopper", "basket"]].drop_duplicates()
    assert loaded.transactions["basket"].nunique() == len(baskets)
    assert (loaded.transactions["list_price"] >= loaded.transactions["price_paid"]).all()
    dataset = build_dataset(loaded, DataConfig(min_purchases=5))
    assert {"quantity", "unit_cost", "promotions"} <= set(dataset.report["assumptions"])
    assert (dataset.purchases["quantity"] == 1).all()


def test_toml_and_pairs_agree_and_pairs_win(csv: Path, tmp_path: Path) -> None:
    toml = write(tmp_path / "columns.toml", 'shopper = "customer"\ntime = "bought_at"\nitem = "unit_price"\n')
    loaded = load_log(csv, {"item": "sku", "price": "unit_price"}, columns_file=toml)
    pd.testing.assert_frame_equal(loaded.transactions, load_log(csv, OWN_NAMES).transactions)


def test_baskets_without_dates_are_visits_a_week_apart(tmp_path: Path) -> None:
    text = "shopper,basket,item,price\na,1,x,1\na,1,y,1\na,2,x,1\na,3,x,1\nb,9,x,1\n"
    loaded = load_log(write(tmp_path / "sales.csv", text))
    weeks = (loaded.transactions["time"] - loaded.transactions["time"].min()).dt.days / 7
    assert weeks.tolist() == [0, 0, 1, 2, 2]
    assert "file order" in loaded.assumptions["time"]


def test_weeks_stand_in_for_dates(tmp_path: Path) -> None:
    text = "shopper,week,item,price\na,5,x,1\na,7,x,1\n"
    loaded = load_log(write(tmp_path / "sales.csv", text))
    assert loaded.transactions["time"].diff().dt.days.tolist()[1] == 14
    assert "weeks but no dates" in loaded.assumptions["time"]


def test_numbered_days_are_put_so_that_the_logs_own_weeks_begin_on_a_monday(tmp_path: Path) -> None:
    days = "".join(f"a,{day},{(day + 1) // 7 + 1},x,1\n" for day in range(1, 30))
    loaded = load_log(write(tmp_path / "sales.csv", "shopper,day,week,item,price\n" + days))
    assert loaded.transactions["time"].iloc[0].day_name() == "Wednesday"
    assert "taken as a Wednesday" in loaded.assumptions["time"]


def test_views_alone_are_no_sales(tmp_path: Path) -> None:
    text = "shopper,time,item,price,event_type\na,2024-01-01,x,1,view\nb,2024-01-02,x,1,cart\n"
    path = write(tmp_path / "sales.csv", text)
    with pytest.raises(UserError, match="holds events, but none that is surely a sale.*--events"):
        load_log(path)
    assert len(load_log(path, options=ReadOptions(events=("all",))).transactions) == 2


def test_parts_of_numbered_days_keep_their_day(tmp_path: Path) -> None:
    text = "shopper,day,item,price\na,4.9,x,1\na,5.1,x,1\na,5.8,x,1\n"
    loaded = load_log(write(tmp_path / "sales.csv", text))
    assert loaded.transactions.groupby("basket").size().tolist() == [1, 2]


def test_ids_are_text_as_written(tmp_path: Path) -> None:
    loaded = load_log(
        write(tmp_path / "sales.csv", "shopper,time,item,price\n007,2024-01-01,00012,1\n7,2024-01-01,12,1\n")
    )
    assert loaded.transactions["shopper"].tolist() == ["007", "7"]
    assert loaded.transactions["item"].tolist() == ["00012", "12"]


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_separators_are_found(tmp_path: Path, separator: str) -> None:
    text = "shopper,time,item,price\na,20240131,x,1.5\n".replace(",", separator)
    loaded = load_log(write(tmp_path / "sales.txt", text))
    assert loaded.transactions["time"].iloc[0] == pd.Timestamp("2024-01-31")
    assert loaded.transactions["price_paid"].iloc[0] == 1.5


def test_parquet_and_gzip_read_like_csv(csv: Path, tmp_path: Path) -> None:
    expected = load_log(csv, OWN_NAMES).transactions
    frame = pd.read_csv(csv, parse_dates=["bought_at"])
    frame.to_parquet(tmp_path / "sales.parquet")
    (tmp_path / "sales.csv.gz").write_bytes(gzip.compress(csv.read_bytes()))
    for name in ("sales.parquet", "sales.csv.gz"):
        loaded = load_log(tmp_path / name, OWN_NAMES).transactions
        pd.testing.assert_frame_equal(loaded, expected, check_dtype=False)


def test_items_come_from_their_own_file_or_from_the_log(csv: Path, tmp_path: Path) -> None:
    path = write(tmp_path / "items.csv", "item,name,unit_cost\n0,Soup,1.25\n1,Bread,\n")
    items = load_log(csv, OWN_NAMES, items_path=path).items
    assert items is not None and items["name"].tolist() == ["Soup", "Bread"]
    np.testing.assert_array_equal(items["unit_cost"], [1.25, np.nan])
    text = "shopper,time,item,price,name\na,2024-01-01,x,1,Soup\na,2024-01-02,x,1,Soup\n"
    items = load_log(write(tmp_path / "named.csv", text)).items
    assert items is not None and items.to_dict("records") == [{"item": "x", "name": "Soup"}]


def test_an_item_has_its_most_frequent_name(tmp_path: Path) -> None:
    named = {"x": ["mailout", "Soup", "Soup"], "y": ["", "Bread"]}
    lines = [f"a,2024-01-0{day},{item},1,{name}" for item in named for day, name in enumerate(named[item], 1)]
    text = "\n".join(["shopper,time,item,price,name", *lines, ""])
    items = load_log(write(tmp_path / "named.csv", text)).items
    assert items is not None and items.set_index("item")["name"].to_dict() == {"x": "Soup", "y": "Bread"}


def test_time_zones_are_cut_off_not_converted(tmp_path: Path) -> None:
    text = "shopper,time,item,price\na,2024-01-31T23:30:00-05:00,x,1\n"
    loaded = load_log(write(tmp_path / "sales.csv", text))
    assert loaded.transactions["time"].iloc[0] == pd.Timestamp("2024-01-31 23:30")


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (["2024-01-31", "2024-02-01 09:15"], ["2024-01-31", "2024-02-01 09:15"]),
        (
            ["2024-03-09T12:00:00-05:00", "2024-03-11T12:00:00-04:00"],
            ["2024-03-09 12:00", "2024-03-11 12:00"],
        ),
        (["31.01.2024", "01.02.2024"], ["2024-01-31", "2024-02-01"]),
        (["01.02.2024", "31.01.2024"], ["2024-02-01", "2024-01-31"]),
        (["12/1/2010 8:26", "12/13/2010 10:05"], ["2010-12-01 08:26", "2010-12-13 10:05"]),
        (["1/31/2024 5:45 PM", "2/1/2024 9:15 AM"], ["2024-01-31 17:45", "2024-02-01 09:15"]),
    ],
)
def test_common_ways_to_write_dates_are_read(tmp_path: Path, written: list[str], meant: list[str]) -> None:
    text = HEADER + "".join(f"a,{time},x,1\n" for time in written)
    times = load_log(write(tmp_path / "sales.csv", text)).transactions["time"]
    assert times.tolist() == [pd.Timestamp(time) for time in meant]


def test_dates_that_can_be_read_in_two_ways_or_disagree_are_refused(tmp_path: Path) -> None:
    text = HEADER + "a,01/02/2024,x,1\na,31/01/2024,x,1\na,01/31/2024,x,1\n"
    with pytest.raises(UserError, match=r"'time' must hold dates.*1 of 3"):
        load_log(write(tmp_path / "sales.csv", text))
    with pytest.raises(UserError, match=r"'01/02/2024' may put the day or the month first"):
        load_log(write(tmp_path / "sales.csv", HEADER + "a,01/02/2024,x,1\n"))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"sales\.csv: the file is empty"),
        (HEADER, r"sales\.csv: it has no rows"),
        ("a,b,c\n1,2,3\n", r"no column for shopper, item, price_paid, time; it has: a, b, c.*shopper=NAME"),
        ("shopper,item,price\na,x,1\n", r"no column for time;.*'week', 'day' or 'basket' will do"),
        (HEADER + "a,2024-01-01,x,1\nb,soon,x,1\n", r"'time' must hold dates.*1 of 2 .*row 2: 'soon'"),
        (HEADER + "a,3.7,x,1\n", r"'time' must hold dates"),
        (HEADER + "a,2024-01-01,x,dear\n", r"'price' must hold numbers.*row 1: 'dear'"),
        (HEADER + "a,2024-01-01,x,\n", r"sales\.csv: no line is left \(no price: 1\)"),
        (HEADER + ",2024-01-01,x,2\n", r"sales\.csv: no line is left \(no shopper: 1\)"),
        (HEADER + "a,b,c,d,e,f\n1,2\n1,2,3,4,5,6,7,8\n", r"sales\.csv: "),
    ],
)
def test_faults_in_the_file_are_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        load_log(write(tmp_path / "sales.csv", text))


def test_faults_in_the_mapping_are_named(csv: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"'client' is no column of ours; known are: amount, basket, brand"):
        load_log(csv, {"client": "customer"})
    with pytest.raises(UserError, match=r"no column 'who' \(mapped to 'shopper'\).*has: customer, bought_at"):
        load_log(csv, {**OWN_NAMES, "shopper": "who"})
    with pytest.raises(UserError, match=r"bad\.toml: not a TOML file"):
        load_log(csv, columns_file=write(tmp_path / "bad.toml", "shopper: customer"))
    with pytest.raises(UserError, match=r"odd\.toml: 'shopper' must be a column's name"):
        load_log(csv, columns_file=write(tmp_path / "odd.toml", "shopper = 3"))
    with pytest.raises(UserError, match=r"none\.toml: No such file"):
        load_log(csv, columns_file=tmp_path / "none.toml")


def test_faults_in_the_path_are_named(csv: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"gone\.csv: no such file"):
        load_log(tmp_path / "gone.csv")
    with pytest.raises(UserError, match=r"sales\.pdf: not a kind of file"):
        load_log(write(tmp_path / "sales.pdf", "x"))
    with pytest.raises(UserError, match=r"sales\.xlsx: cannot be read"):
        load_log(write(tmp_path / "sales.xlsx", "x"))
    with pytest.raises(UserError, match=r"sales\.parquet: cannot be read"):
        load_log(write(tmp_path / "sales.parquet", "not parquet at all"))
    with pytest.raises(UserError, match=r"items\.csv: no column 'item'; it has: sku_no"):
        load_log(csv, OWN_NAMES, items_path=write(tmp_path / "items.csv", "sku_no,name\n1,Soup\n"))
