"""Files of all kinds, and what is told or refused about each."""

from __future__ import annotations

import bz2
import gzip
import lzma
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bundlegym.data import Log, load_log
from bundlegym.data.config import ReadOptions
from bundlegym.errors import UserError

HEADER = "shopper,item,time,price\n"
TWO = HEADER + "a,x,2024-01-01,1.5\nb,y,2024-01-02,2\n"


def read(folder: Path, text: str | bytes, columns: dict[str, str] | None = None, **options: object) -> Log:
    path = folder / "sales.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return load_log(path, columns, options=ReadOptions(**options))  # type: ignore[arg-type]


def told(log: Log) -> str:
    return "\n".join(log.assumptions.values())


def zstd(content: bytes) -> bytes:
    out = pa.BufferOutputStream()
    with pa.CompressedOutputStream(out, "zstd") as file:
        file.write(content)
    return out.getvalue().to_pybytes()


@pytest.mark.parametrize(
    ("suffix", "pack"),
    [(".gz", gzip.compress), (".bz2", bz2.compress), (".xz", lzma.compress), (".zst", zstd)],
)
def test_packed_files(tmp_path: Path, suffix: str, pack: Callable[[bytes], bytes]) -> None:
    path = tmp_path / f"sales.csv{suffix}"
    path.write_bytes(pack(TWO.encode()))
    assert load_log(path).transactions["price_paid"].tolist() == [1.5, 2.0]
    path.write_bytes(pack(TWO.encode())[:12])
    with pytest.raises(UserError, match="cannot be read"):
        load_log(path)


def test_archives_and_folders_of_files_of_the_same_columns(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        archive.writestr("year/1.csv", TWO)
        archive.writestr("year/2.csv", TWO)
        archive.writestr("__MACOSX/._1.csv", "rubbish")
    (tmp_path / "all").mkdir()
    (tmp_path / "all" / "1.csv").write_text(TWO)
    (tmp_path / "all" / "2.csv.gz").write_bytes(gzip.compress(TWO.encode()))
    for name in ("all.zip", "all"):
        log = load_log(tmp_path / name)
        assert len(log.transactions) == 4
        assert "2 tables of the same columns" in told(log)
    (tmp_path / "all" / "3.csv").write_text("id,age\n1,2\n")
    with pytest.raises(UserError, match=r"have not the same columns.*3\.csv has id, age.*--join"):
        load_log(tmp_path / "all")


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-32", "cp1252"])
def test_encodings(tmp_path: Path, encoding: str) -> None:
    log = read(tmp_path, TWO.replace("a,x", "Zoë,x").encode(encoding))
    assert log.transactions["shopper"].tolist() == ["Zoë", "b"]


def test_types_of_parquet(tmp_path: Path) -> None:
    table = pa.table(
        {
            "shopper": pa.array([17850.0, 2.0, None]),
            "item": pa.array(["a", "b", "c"]).dictionary_encode(),
            "time": pa.array([1704103200] * 3).cast(pa.timestamp("s", tz="UTC")),
            "price": pa.array(["1.50", "2.50", "3.50"]).cast(pa.decimal128(9, 2)),
            "quantity": pa.array([1, 2, 3], pa.uint8()),
        }
    )
    path = tmp_path / "sales.parquet"
    pq.write_table(table, path)
    log = load_log(path, options=ReadOptions(zone="America/New_York"))
    assert log.transactions["shopper"].tolist() == ["17850", "2"]
    assert log.transactions["price_paid"].tolist() == [1.5, 2.5]
    assert log.transactions["time"].iloc[0] == pd.Timestamp("2024-01-01 05:00")
    assert log.dropped == {"no shopper": 1}
    pq.write_table(table.set_column(0, "shopper", pa.array([[1], [2], [3]])), path)
    with pytest.raises(UserError, match="column 'shopper' holds list"):
        load_log(path)


@pytest.mark.parametrize("behind", ["Total,,,3.5\n", "Total\n\n", HEADER])
def test_lines_that_are_no_sales_are_counted(tmp_path: Path, behind: str) -> None:
    log = read(tmp_path, TWO + behind)
    assert len(log.transactions) == 2
    assert sum(log.dropped.values()) == 1


@pytest.mark.parametrize(
    "text", ["a,x,2024-01-01,1.5\nb,y,2024-01-02,2\n", " a  x 20240101   1.5\n b  y 20240102  2\n"]
)
def test_tables_without_a_header(tmp_path: Path, text: str) -> None:
    log = read(tmp_path, text, {"shopper": "1", "item": "2", "time": "3", "price": "4"})
    assert log.transactions["shopper"].tolist() == ["a", "b"]
    assert "no header was found" in told(log)


def test_delimiters_inside_quoted_headers(tmp_path: Path) -> None:
    log = read(
        tmp_path, '"shopper, no",item,time,price\n"a, b",x,2024-01-01,1.5\n', {"shopper": "shopper, no"}
    )
    assert log.transactions["shopper"].tolist() == ["a, b"]


def test_thousands_or_fractions_are_asked(tmp_path: Path) -> None:
    text = HEADER + "a,x,2024-01-01,1.500\nb,y,2024-01-02,2.000\n"
    with pytest.raises(UserError, match=r"'price'.*'1.500' may mean a fraction or thousands; say --decimal"):
        read(tmp_path, text)
    assert read(tmp_path, text, decimal=",").transactions["price_paid"].tolist() == [1500, 2000]
    assert read(tmp_path, text, decimal=".").transactions["price_paid"].tolist() == [1.5, 2]


def test_receipt_numbers_that_start_anew(tmp_path: Path) -> None:
    lines = "a,x,2024-01-01 23:59,1,7\na,y,2024-01-02 00:01,1,7\na,x,2024-01-20 10:00,1,7\n"
    log = read(tmp_path, "shopper,item,time,price,basket\n" + lines)
    assert log.transactions["basket"].tolist() == ["7", "7", "7#2"]
    assert "1 baskets have lines more than 12 hours apart" in told(log)


def test_ids_that_are_text_or_numbers(tmp_path: Path) -> None:
    rows = "".join(f"{who},x,2024-01-01,1\n" for who in ("17850", "17850.0", "17850 ", "17850\x00"))
    assert set(read(tmp_path, HEADER + rows).transactions["shopper"]) == {"17850"}
    assert read(tmp_path, HEADER + "007,x,2024-01-01,1\n").transactions["shopper"].tolist() == ["007"]


def test_bad_lines_can_be_dropped(tmp_path: Path) -> None:
    text = HEADER + "a,x,2024-01-01,1.5\nb,y,soon,2\n"
    with pytest.raises(
        UserError, match="1 of 2 rows do not; the first is data row 2: 'soon'; --bad-lines drop"
    ):
        read(tmp_path, text)
    assert read(tmp_path, text, bad_lines="drop").dropped == {"date that cannot be read": 1}


def test_cancelled_orders_go(tmp_path: Path) -> None:
    lines = "a,x,2024-01-01,1,delivered\na,x,2024-01-01,1,canceled\n"
    log = read(tmp_path, "shopper,item,time,price,order_status\n" + lines)
    assert log.dropped == {"cancelled order": 1}
    assert "--statuses overrules" in told(log)


def test_tables_are_joined_one_after_another(tmp_path: Path) -> None:
    (tmp_path / "orders.csv").write_text("order_id,time,cust\n1,2024-01-01,A\n2,2024-01-02,B\n")
    (tmp_path / "people.csv").write_text("cust,mail\nA,a@x\nB,b@x\n")
    lines = "order_id,item,price\n1,x,1.5\n1,y,2\n2,x,1.5\n9,x,1\n"
    joined = (str(tmp_path / "orders.csv"), str(tmp_path / "people.csv@cust"))
    log = read(tmp_path, lines, {"shopper": "mail", "basket": "order_id"}, join=joined)
    assert log.transactions["shopper"].tolist() == ["a@x", "a@x", "b@x"]
    assert log.dropped == {"no shopper": 1}
    (tmp_path / "parts.csv").write_text(lines)
    with pytest.raises(UserError, match="'order_id' must name one row each, but '1' comes again"):
        read(tmp_path, "order_id,time,cust\n1,2024-01-01,A\n", join=(str(tmp_path / "parts.csv"),))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"zone": "Mars"}, "--zone: 'Mars' is no time zone"),
        ({"encoding": "klingon"}, "--encoding: 'klingon' is no encoding"),
        ({"delimiter": ";;"}, "--delimiter: ';;' is not one character"),
        ({"since": "15/01"}, "--since: '15/01' is no day"),
        ({"header_line": 30}, "line 30 is no header"),
        ({"decimal": "x"}, "--decimal: 'x' is none of"),
        ({"day_first": True, "month_first": True}, "exclude each other"),
    ],
)
def test_wrong_options_are_named(tmp_path: Path, options: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        read(tmp_path, TWO, **options)
