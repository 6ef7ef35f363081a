"""`bundlegym fidelity --suite`: several logs, one table, and no log spoils the others."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from bundlegym.data import DataConfig, synthetic_log
from bundlegym.errors import UserError
from bundlegym.evaluation.cli import fidelity
from bundlegym.evaluation.fidelity.suite import as_table, logs_in, run_suite


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A log in a shop's own names with its columns file, one too small for anything, and a built-in one."""
    folder = tmp_path_factory.mktemp("suite")
    lines = synthetic_log().transactions
    own = lines.rename(columns={"shopper": "customer", "price_paid": "paid"}).drop(columns="list_price")
    own.to_parquet(folder / "shop.parquet")
    (folder / "shop.toml").write_text('shopper = "customer"\nprice = "paid"\n', encoding="utf-8")
    lines.head(40).to_csv(folder / "tiny.csv", index=False)
    (folder / "synthetic").touch()
    return folder


def test_each_log_is_a_column_and_what_cannot_be_measured_is_a_sentence(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    kept, cache = tmp_path / "suite.json", str(tmp_path / "cache")
    arguments = ["--suite", str(folder), "--user-model", "replay", "--json", str(kept), "--cache-dir", cache]
    monkeypatch.setattr(sys, "argv", ["bundlegym fidelity", *arguments])
    fidelity()
    shown = capsys.readouterr()
    head, *rows = shown.out.splitlines()
    assert head.split() == ["shop", "synthetic"]
    assert any(row.startswith("AUC, baskets") for row in rows)
    assert rows[-1].startswith("tiny: min_purchases: no item has 50 purchases")
    content = json.loads(kept.read_text(encoding="utf-8"))
    assert set(content) == {"shop", "synthetic", "tiny"}
    assert content["shop"]["base_rates"]["lines_per_visit"]["ratio"] == pytest.approx(1.0, abs=0.2)

    fidelity()  # nothing is measured twice
    again = capsys.readouterr()
    assert again.out == shown.out
    assert f"fidelity: shop from {kept}" in again.err
    assert as_table(content) == as_table(json.loads(json.dumps(content)))

    monkeypatch.setattr(sys, "argv", ["bundlegym fidelity", *arguments, "--seed", "1"])
    with pytest.raises(UserError, match="holds .* measured with seed 0, not 1; give another file"):
        fidelity()


def test_a_file_of_something_else_is_left_alone(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.json"
    other.write_text('{"log": "x"}', encoding="utf-8")
    with pytest.raises(UserError, match=r"other\.json holds no figures of a suite"):
        run_suite(folder, "replay", DataConfig(), kept=other)
    assert other.read_text(encoding="utf-8") == '{"log": "x"}'


def test_how_each_log_is_read(folder: Path) -> None:
    found = logs_in(folder, DataConfig(min_purchases=3))
    assert list(found) == ["shop", "synthetic", "tiny"]
    assert found["shop"].columns == folder / "shop.toml"
    assert (found["synthetic"].log, found["synthetic"].columns) == ("synthetic", None)
    assert all(config.min_purchases == 3 for config in found.values())


def test_a_folder_without_logs_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds no log"):
        logs_in(tmp_path, DataConfig())
    with pytest.raises(UserError, match="is no folder"):
        logs_in(tmp_path / "nowhere", DataConfig())
    for name in ("a.csv", "a.parquet"):
        (tmp_path / name).write_text("x", encoding="utf-8")
    with pytest.raises(UserError, match="two logs called a"):
        logs_in(tmp_path, DataConfig())
