"""`evaluate.py --fidelity` as a command, on the synthetic log."""

from __future__ import annotations

import contextlib
import io
import json
import sys

import numpy as np
import pytest

from bundlegym.data import DataConfig, prepare, synthetic_log
from bundlegym.errors import UserError
from bundlegym.evaluation.cli import evaluate, fidelity
from bundlegym.evaluation.fidelity.distributions import RETAILSYNTH
from bundlegym.user_models.panel import logged_panel


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def command(monkeypatch, cache):
    def run(*arguments: str) -> None:
        monkeypatch.setenv("BUNDLEGYM_CACHE", str(cache))
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


@pytest.fixture(scope="module")
def of_replay(cache, tmp_path_factory):
    """What is printed of shoppers who replay the log, and the figures that are kept."""
    path, shown = tmp_path_factory.mktemp("replay") / "fidelity.json", io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(shown):
        patch.setenv("BUNDLEGYM_CACHE", str(cache))
        arguments = ["--fidelity", "--log", "synthetic", "--user-model", "replay", "--json", str(path)]
        patch.setattr(sys, "argv", ["evaluate.py", *arguments])
        evaluate()
    return shown.getvalue(), json.loads(path.read_text(encoding="utf-8"))


def test_what_limits_a_figure_is_told_beside_it(of_replay, cache):
    _, figures = of_replay
    # Whoever replays the log is no further from it than one replay from another.
    assert set(figures["ks_complement_of_luck"].values()) == {1.0}
    assert figures["co_purchase_lift_items"]["worst_decile_of_luck"] == 0.0

    dataset = prepare(DataConfig(log="synthetic", cache_dir=cache), progress=False)
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


def test_a_family_without_shares_has_no_likelihood(of_replay):
    shown, _ = of_replay
    line = next(part for part in shown.splitlines() if part.startswith("  replay"))
    assert line.split()[1:3] == ["-", "-"]


REGULAR = """
from bundlegym.user_models import Answer


class Regular:
    def __init__(self, dataset, fair=0.1):
        self.fair, self.n_items = fair, dataset.n_items

    def reset(self, shopper, day):
        return {"item": shopper % self.n_items}

    def respond(self, state, visit, luck):
        if visit.offer and visit.discount >= self.fair:
            return Answer(take=True, days=5)
        return Answer(basket={int(state["item"]): 1}, days=7)
"""


def test_shoppers_of_ones_own_are_judged(command, monkeypatch, tmp_path, capsys):
    (tmp_path / "own_shoppers.py").write_text(REGULAR, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as stopped:
        command("--user-model", "own_shoppers:Regular", "--check", "--json", "figures.json")
    assert stopped.value.code == 1
    shown = capsys.readouterr()
    assert "Fidelity of 'own_shoppers:Regular'" in shown.out
    assert "misses its bound: known shoppers: base rate lines_per_visit" in shown.err
    figures = json.loads((tmp_path / "figures.json").read_text(encoding="utf-8"))
    assert f"misses its bound: {figures['failures'][0]}" in shown.err
    assert any("may have seen the test weeks" in note for note in figures["notes"])


def test_shoppers_that_break_the_contract_are_not_judged(command, monkeypatch, tmp_path):
    wrong = REGULAR.replace("days=5", "days=-5")
    (tmp_path / "wrong_shoppers.py").write_text(wrong, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="--user-model wrong_shoppers:Regular"):
        command("--user-model", "wrong_shoppers:Regular")


def test_any_log_is_read_as_train_reads_it(monkeypatch, tmp_path, capsys):
    lines = synthetic_log(seed=3, n_shoppers=100, n_items=60).transactions
    lines = lines.rename(columns={"shopper": "who", "item": "sku"}).drop(columns="week")
    lines.to_csv(tmp_path / "sales.csv", index=False)
    (tmp_path / "columns.toml").write_text('item = "sku"\n', encoding="utf-8")
    (tmp_path / "people.csv").write_text("who,age\n1,40\n", encoding="utf-8")
    monkeypatch.setenv("BUNDLEGYM_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    arguments = ["--log", "sales.csv", "--columns", "columns.toml", "--map", "shopper=who"]
    arguments += ["shoppers.shopper=who", "--table", "shoppers=people.csv", "--min-purchases", "10"]
    arguments += ["--test-share", "0.3", "--user-model", "replay", "--check"]
    monkeypatch.setattr(sys, "argv", ["bundlegym fidelity", *arguments])
    fidelity()
    assert "Fidelity of 'replay' on sales.csv" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--fidelity", "--seed", "-1"], "--seed: must be a whole number"),
        (
            ["--fidelity", "--user-model", "magic"],
            "unknown user model 'magic'; known are choice.*module:Class",
        ),
        (["--fidelity", "--user-model", "replay", "--sweep"], "--sweep: replay makes no assumptions"),
        (["--fidelity", "--user-model-args", "a=1"], "--user-model-args: choice takes none"),
        (["runs/some", "--check"], "--check goes with --fidelity"),
        (["--log", "sales.csv"], "--log goes with --fidelity"),
        (["runs/some", "--magic"], "unknown option --magic"),
        ([], "give the folder of a run"),
    ],
)
def test_wrong_options_are_one_sentence(monkeypatch, arguments, message):
    monkeypatch.setattr(sys, "argv", ["evaluate.py", *arguments])
    with pytest.raises(UserError, match=message):
        evaluate()
