"""An exported agent scores and offers what the agent of the run does, without torch."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bundlegym.deployment.export_cli import export
from bundlegym.deployment.exported import ExportedPolicy
from bundlegym.deployment.limits import Limits
from bundlegym.deployment.picking import pick
from bundlegym.deployment.policy import BundlePolicy
from bundlegym.errors import UserError, guarded
from tests.sealing import damages, edit_sealed

pytest.importorskip("onnxruntime")
pytest.importorskip("onnx")


def call(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["bundlegym export", *arguments])
    try:
        guarded(export)
    except SystemExit as end:
        return int(end.code or 0)
    return 0


@pytest.fixture(scope="module")
def folders(run: Path, cache: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The exported agents by name."""
    made = {}
    with pytest.MonkeyPatch.context() as patch:
        for name in ("ppo", "dqn", "a2c"):
            made[name] = tmp_path_factory.mktemp("exported") / name
            given = ("--policy", name, "--offer-exposure", "1", "--cache-dir", str(cache))
            assert call(patch, str(run), str(made[name]), *given) == 0
    return made


@pytest.mark.parametrize("name", ["ppo", "dqn", "a2c"])
def test_observations_scores_and_offers_are_the_agents_own(name, folders, run, cache):
    exported = ExportedPolicy.load(folders[name])
    agent = BundlePolicy.load(run, name, exposure=1.0, cache_dir=cache)
    asked, nothing = agent.ledger.ask(), agent.ledger.excluded()
    for day in (40, agent.ledger.day(None)):
        both = agent.open(asked, day, nothing), exported.open(exported.ledger.ask(), day, nothing)
        own = {block: value.numpy() for block, value in both[0].observe().items()}
        for block, value in both[1].blocks().items():
            np.testing.assert_allclose(value, own[block], atol=1e-5, err_msg=block)
        torch_scores = scores_of(agent, both[0])
        np.testing.assert_allclose(exported.scores(both[1].blocks()), torch_scores, atol=1e-5)
        picked = [pick(visits, Limits()) for visits in both]
        # Of two items as good as each other either may be picked first.
        np.testing.assert_array_equal(*(np.sort(one.items, axis=1) for one in picked))  # type: ignore[arg-type]
        np.testing.assert_array_equal(picked[0].level, picked[1].level)
    assert picked[0].made.any()


def scores_of(agent: BundlePolicy, visits) -> np.ndarray:
    """(N, K + D) by the model of the run itself."""
    import torch

    with torch.no_grad():
        observation = {name: block.clone() for name, block in visits.observe().items()}
        policy = agent.model.policy
        if agent.name == "dqn":
            return policy.q_net(observation).numpy()
        return policy.scorer.scores(observation).numpy()


def test_strangers_are_told_the_same(folders, ppo):
    exported = ExportedPolicy.load(folders["ppo"])
    times = ["2024-05-01", "2024-05-01 12:00", "2024-05-02", "2024-06-03"]
    some = pd.DataFrame({"item": ["1", "7", "x", "7"], "time": times})
    for history in (some, pd.DataFrame(), "12"):
        assert exported.recommend(history, k=2) == ppo.recommend(history, k=2)


WITHOUT_TORCH = """
import sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "torch":
            raise ImportError("torch is asked for")

sys.meta_path.insert(0, Refuse())
from bundlegym.deployment.exported import ExportedPolicy
answer = ExportedPolicy.load(sys.argv[1]).recommend("12", k=2)
print([[item.item for item in offer.items] for offer in answer.offers])
"""


def test_it_answers_where_there_is_no_torch(folders, ppo, tmp_path):
    command = [sys.executable, "-c", WITHOUT_TORCH, str(folders["ppo"])]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=300)
    assert done.returncode == 0, done.stderr
    expected = [[item.item for item in offer.items] for offer in ppo.recommend("12", k=2).offers]
    assert done.stdout.strip() == str(expected)


@pytest.mark.parametrize("name", ["scorer.onnx", "tables.npz", "policy.json"])
def test_a_damaged_folder_is_one_clear_error(name, folders, tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(folders["ppo"], folder)
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[: len(content) // 2])
    with pytest.raises(UserError, match="copy"):
        ExportedPolicy.load(folder)
    (folder / name).unlink()
    with pytest.raises(UserError, match="copy"):
        ExportedPolicy.load(folder)


def test_each_byte_is_vouched_for(folders, tmp_path):
    shutil.copytree(folders["ppo"], tmp_path / "copy")
    for file in damages(tmp_path / "copy"):
        with pytest.raises(UserError, match=rf"copy: the exported policy is damaged \(.*{file}"):
            ExportedPolicy.load(tmp_path / "copy")
    ExportedPolicy.load(tmp_path / "copy")


def test_another_format_is_told(folders, tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(folders["ppo"], folder)
    edit_sealed(folder / "policy.json", format=99)
    with pytest.raises(UserError, match="format 99"):
        ExportedPolicy.load(folder)


def test_forecasts_cannot_be_exported(forecasting, cache, tmp_path, monkeypatch, capsys):
    assert call(monkeypatch, str(forecasting), str(tmp_path / "out"), "--cache-dir", str(cache)) == 2
    assert "block forecasts cannot be exported" in capsys.readouterr().err


def test_a_table_of_values_cannot_be_exported(run, cache, tmp_path, monkeypatch, capsys):
    options = ("--policy", "q-learning", "--offer-exposure", "1", "--cache-dir", str(cache))
    assert call(monkeypatch, str(run), str(tmp_path / "out"), *options) == 2
    assert "cannot be exported" in capsys.readouterr().err


def test_the_planner_cannot_be_exported(run, cache, tmp_path, monkeypatch, capsys):
    options = ("--policy", "planner", "--cache-dir", str(cache))
    assert call(monkeypatch, str(run), str(tmp_path / "out"), *options) == 2
    assert "the planner asks a user model" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
