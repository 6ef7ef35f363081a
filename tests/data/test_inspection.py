"""`bundlegym inspect`: proposals, figures, exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from bundlegym.__main__ import main
from bundlegym.data import DataConfig, Log
from bundlegym.data.inspection import inspect_log
from bundlegym.errors import UserError
from tests.commands import Ended, command

UCI = Path(__file__).resolve().parents[3] / "shared" / "data" / "uci_online_retail"


def shop(log: Log, path: Path, dates: str = "%d/%m/%Y %H:%M") -> Path:
    lines = log.transactions
    table = pd.DataFrame(
        {
            "InvoiceNo": lines["basket"].astype(str).radd("F"),
            "StockCode": lines["item"].astype(str).radd("SKU-"),
            "Description": lines["item"].astype(str).radd("thing "),
            "Qty ": lines["quantity"],
            "InvoiceDate": lines["time"].dt.strftime(dates),
            "Unit Price": lines["price_paid"].map("{:.2f}".format).str.replace(".", ","),
            "Customer ID": lines["shopper"].astype(float),
            "Country": "Elsewhere",
        }
    )
    table.to_csv(path, index=False, sep=";", encoding="cp1252")
    return path


def test_a_whole_mapping_is_proposed_and_works(log: Log, tmp_path: Path) -> None:
    found = inspect_log([shop(log, tmp_path / "sales.csv")], DataConfig(min_purchases=5))
    assert found.as_json()["mapping"] == {
        "shopper": "Customer ID",
        "item": "StockCode",
        "basket": "InvoiceNo",
        "time": "InvoiceDate",
        "quantity": "Qty",
        "price_paid": "Unit Price",
        "name": "Description",
    }
    facts = found.as_json()
    lines = log.transactions
    assert facts["shoppers"] == lines["shopper"].nunique()
    assert facts["visits"] == lines["basket"].nunique()
    assert facts["revenue"] == pytest.approx((lines["quantity"] * lines["price_paid"]).sum())
    assert facts["error"] is None
    text = found.as_text()
    assert "distinct values" in text and "decimal comma" in text and "Visits a week" in text


GERMAN = {
    "shopper": "Kundennummer", "item": "Art.-Nr.", "basket": "Bon-Nr.", "time": "Verkaufsdatum",
    "quantity": "Stückzahl", "amount": "Summe EUR", "name": "Artikelbezeichnung", "category": "Warengruppe",
}  # fmt: skip
ITALIAN = {
    "shopper": "Cliente", "item": "Articolo", "basket": "Scontrino", "time": "Data", "quantity": "Quantità",
    "price_paid": "Prezzo",
}  # fmt: skip


@pytest.mark.parametrize("names", [GERMAN, ITALIAN])
def test_headers_of_other_languages_are_known(log: Log, tmp_path: Path, names: dict[str, str]) -> None:
    lines = log.transactions
    item = lines["item"].astype(str)
    columns = {
        "shopper": lines["shopper"].astype(str).radd("K"),
        "item": item,
        "basket": lines["basket"],
        "time": lines["time"].dt.strftime("%d.%m.%Y"),
        "quantity": lines["quantity"],
        "amount": (lines["price_paid"] * lines["quantity"]).map("{:.2f}".format).str.replace(".", ","),
        "price_paid": lines["price_paid"].map("{:.2f}".format).str.replace(".", ","),
        "name": "thing " + item,
        "category": "kind " + item.str[:1],
    }
    table = pd.DataFrame({theirs: columns[ours] for ours, theirs in names.items()})
    table["Kasse"] = "Kasse 1"
    table.to_csv(tmp_path / "sales.csv", index=False, sep=";", encoding="cp1252")
    found = inspect_log([tmp_path / "sales.csv"], DataConfig(min_purchases=5))
    assert found.as_json()["mapping"] == names
    assert found.as_json()["not_read"] == ["Kasse"] and "not read: Kasse;" in found.as_text()


@pytest.mark.parametrize("name", ["LIST", "rrp", "List Price"])
def test_a_list_price_is_known_by_its_name(log: Log, tmp_path: Path, name: str) -> None:
    path = shop(log, tmp_path / "sales.csv")
    table = pd.read_csv(path, sep=";", encoding="cp1252", dtype=str)
    table.assign(**{name: table["Unit Price"]}).to_csv(path, index=False, sep=";", encoding="cp1252")
    mapping = inspect_log([path], DataConfig(min_purchases=5)).as_json()["mapping"]
    assert (mapping["price_paid"], mapping["list_price"]) == ("Unit Price", name)


def test_the_mapping_it_writes_is_what_columns_takes(log: Log, tmp_path: Path) -> None:
    path = shop(log, tmp_path / "sales.csv", "%m/%d/%y")
    (tmp_path / "some.toml").write_text('shopper = "Customer ID"\n[options]\nmonth_first = true\n')
    first = inspect_log([path], DataConfig(columns=tmp_path / "some.toml"))
    (tmp_path / "all.toml").write_text(first.as_toml(), encoding="utf-8")
    second = inspect_log([path], DataConfig(columns=tmp_path / "all.toml"))
    assert second.as_json()["mapping"] == first.as_json()["mapping"]
    assert second.options.month_first


def test_what_is_ambiguous_is_asked_in_a_terminal_and_refused_in_a_script(tmp_path: Path) -> None:
    days = ["01/02/2024", "02/03/2024", "03/04/2024", "04/05/2024"]
    rows = [f"s{i % 12},i{i % 11},{days[i % 4]},{i % 5 + 1}.5" for i in range(400)]
    path = tmp_path / "sales.csv"
    path.write_text("shopper,item,time,price\n" + "\n".join(rows))
    with pytest.raises(UserError, match="--day-first or --month-first"):
        inspect_log([path], DataConfig())
    asked: list[str] = []

    def answer(question: str) -> str:
        asked.append(question)
        return "m"

    assert inspect_log([path], DataConfig(), answer).as_json()["first_day"] == "2024-01-02"
    assert len(asked) == 1


def test_further_files_are_joined(log: Log, tmp_path: Path) -> None:
    lines = log.transactions
    orders = lines.drop_duplicates("basket")[["basket", "shopper", "time"]]
    orders = orders.rename(columns={"basket": "order_id", "shopper": "customer", "time": "ordered_at"})
    parts = lines[["basket", "item", "quantity", "price_paid"]].rename(columns={"basket": "order_id"})
    orders.to_csv(tmp_path / "orders.csv", index=False)
    parts.to_csv(tmp_path / "lines.csv", index=False)
    found = inspect_log([tmp_path / "orders.csv", tmp_path / "lines.csv"], DataConfig())
    facts = found.as_json()
    assert facts["mapping"]["shopper"] == "customer" and facts["mapping"]["time"] == "ordered_at"
    assert facts["visits"] == lines["basket"].nunique()


def test_the_command_says_by_its_exit_code_whether_a_log_can_be_used(log: Log, tmp_path: Path) -> None:
    def run(*arguments: str) -> Ended:
        files = "--out", str(tmp_path / "m.toml"), "--json", str(tmp_path / "f.json")
        return command(main, "inspect", *arguments, *files, cwd=tmp_path)

    good = run(str(shop(log, tmp_path / "sales.csv")), "--min-purchases", "5")
    assert good.code == 0, good.err
    facts = json.loads((tmp_path / "f.json").read_text())
    expected = "shoppers items weeks visits pieces revenue test_visits mapping notes dropped"
    assert set(expected.split()) <= set(facts)
    assert facts["test_visits"] > 0
    (tmp_path / "tiny.csv").write_text("shopper,time,item,price\na,2024-01-01,x,1\nb,2024-01-02,y,2\n")
    bad = run(str(tmp_path / "tiny.csv"))
    assert bad.code == 2
    assert "too small" in bad.err and "Traceback" not in bad.err
    gone = run(str(tmp_path / "gone.csv"))
    assert gone.code == 2 and gone.err.startswith("error: ")


@pytest.mark.skipif(not UCI.is_dir(), reason=f"UCI Online Retail II is not at {UCI}")
def test_a_well_known_log_is_understood() -> None:
    found = inspect_log([next(UCI.glob("*.parquet"))], DataConfig())
    facts = found.as_json()
    assert facts["mapping"] == {
        "shopper": "Customer ID",
        "item": "StockCode",
        "basket": "Invoice",
        "time": "InvoiceDate",
        "quantity": "Quantity",
        "price_paid": "Price",
        "name": "Description",
    }
    assert facts["dropped"]["no shopper"] == 107_927
    assert "POST (POSTAGE)" in " ".join(facts["notes"])
