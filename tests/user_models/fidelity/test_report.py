"""`evaluate.py --fidelity` as a command, on the synthetic log."""

from __future__ import annotations

import json
import sys

import pytest

from bundlegym.evaluation.cli import evaluate
from bundlegym.user_models.fidelity.distributions import RETAILSYNTH


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
    figures = json.loads(path.read_text())
    taken = {row["value"]: row["acceptance_rate"]["mean"] for row in figures["sweep"][-4:]}
    assert taken[0.0] < taken[0.5] < taken[1.0]  # who likes bundles as such takes more of them
    for part in (figures, figures["held_out"]):
        assert set(part["ks_complement"]) == set(RETAILSYNTH)
        assert {"real_median", "simulated_median"} <= set(part["co_purchase_lift"])
        assert 0.4 < part["two_sample_auc"] <= 1 and 0 <= part["calibration_error"] < 0.2
        rivals = part["nll_per_item"]
        assert rivals["choice"] < rivals["popularity"]
    assert (tmp_path / "page" / "fidelity.png").read_bytes()[:4] == b"\x89PNG"
    assert "fidelity.png" in (tmp_path / "page" / "fidelity.html").read_text()


def test_a_family_without_shares_has_no_likelihood(command, capsys):
    command("--user-model", "replay")
    line = next(part for part in capsys.readouterr().out.splitlines() if part.startswith("  replay"))
    assert line.split()[1:3] == ["-", "-"]
