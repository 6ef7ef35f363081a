"""`evaluate.py --fidelity` as a command, on the synthetic log."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest

from bundlegym.data import DataConfig, prepare
from bundlegym.evaluation.cli import evaluate
from bundlegym.evaluation.fidelity.distributions import RETAILSYNTH
from bundlegym.user_models.panel import logged_panel


@pytest.fixture
def command(monkeypatch, tmp_path):
    def run(*arguments: str) -> None:
        monkeypatch.setenv("BUNDLEGYM_CACHE", str(tmp_path / "cache"))
        monkeypatch.setattr(sys, "argv", ["evaluate.py", "--fidelity", "--log", "synthetic", *arguments])
        evaluate()

    return run


def test_the_figures_are_printed_kept_and_drawn(command, capsys, tmp_path):
    path = tmp_path / "out" / "fidelity.json"
    command("--json", str(path), "--page", str(tmp_path / "page"), "--sweep")
    shown = capsys.readouterr().out
    for name in (*RETAILSYNTH, "Co-purchase lift", "Two-sample AUC", "matrix_factorisation", "bundle_pull 1"):
        assert name in shown
    figures = json.loads(path.read_text(encoding="utf-8"))
    taken = {row["value"]: row["acceptance_rate"]["mean"] for row in figures["sweep"][-4:]}
    assert taken[0.0] < taken[0.5] < taken[1.0]  # who likes bundles as such takes more of them
    for part in (figures, figures["held_out"]):
        assert set(part["ks_complement"]) == set(RETAILSYNTH)
        assert {"real_median", "simulated_median"} <= set(part["co_purchase_lift"])
        assert 0.4 < part["two_sample_auc"] <= 1 and 0 <= part["calibration_error"] < 0.2
        rivals = part["nll_per_item"]
        assert rivals["choice"] < rivals["popularity"]
    assert (tmp_path / "page" / "fidelity.png").read_bytes()[:4] == b"\x89PNG"
    assert "fidelity.png" in (tmp_path / "page" / "fidelity.html").read_text(encoding="utf-8")


def test_what_limits_a_figure_is_told_beside_it(command, tmp_path):
    path = tmp_path / "fidelity.json"
    command("--user-model", "replay", "--json", str(path))
    figures = json.loads(path.read_text(encoding="utf-8"))
    # Whoever replays the log is no further from it than one replay from another.
    assert set(figures["ks_complement_of_luck"].values()) == {1.0}
    assert figures["co_purchase_lift_items"]["worst_decile_of_luck"] == 0.0

    dataset = prepare(DataConfig(log="synthetic"), progress=False)
    known = np.flatnonzero(~dataset.split.held_out)
    first, end = dataset.split.test_weeks
    weeks = (first, end), (2 * first - end, first)
    now, before = (
        logged_panel(dataset, span, known).groupby("visit")["item"].size().mean() for span in weeks
    )
    rates = figures["base_rates"]
    assert rates["lines_per_visit"]["ratio_of_drift"] == pytest.approx(before / now)
    assert rates["lines_per_visit"]["ratio"] == pytest.approx(1)
    assert all(0 < value < 1 for value in figures["ks_complement_of_drift"].values())


def test_a_family_without_shares_has_no_likelihood(command, capsys):
    command("--user-model", "replay")
    line = next(part for part in capsys.readouterr().out.splitlines() if part.startswith("  replay"))
    assert line.split()[1:3] == ["-", "-"]
