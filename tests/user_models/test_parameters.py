"""User models on disk: what is damaged is said when it is loaded, before compiled code looks it up."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from bundlegym.data import Dataset
from bundlegym.errors import UserError
from bundlegym.evaluation import population
from bundlegym.evaluation.config import TrainConfig
from bundlegym.user_models import ChoiceShopper
from bundlegym.user_models.registry import FAMILIES
from tests.sealing import damages, edit_sealed

LARGE = 2**40


@pytest.fixture(scope="module")
def saved(tmp_path_factory, dataset, user_model, few_steps) -> Path:
    folder = tmp_path_factory.mktemp("models")
    user_model.save(folder)
    for name in ("replay", "lookalike", "sequence"):
        FAMILIES[name].fit(dataset, progress=lambda _: None).save(folder)
    return folder


def damaged(saved: Path, folder: Path, family: str, name: str, change) -> Path:
    """A folder with a copy of a model in which one tensor is another."""
    tensors = load_file(saved / f"{family}.safetensors")
    tensors[name] = change(tensors[name])
    save_file(tensors, folder / f"{family}.safetensors")
    (folder / f"{family}.json").write_text((saved / f"{family}.json").read_text())
    edit_sealed(folder / f"{family}.json")
    return folder


def last_is(value):
    def change(tensor):
        tensor.view(-1)[-1] = value
        return tensor

    return change


def shorter(tensor):
    return tensor[:-1].clone()


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_what_was_saved_is_loaded(family, saved):
    assert dict(FAMILIES[family].load(saved).params.leaves())


def test_each_byte_is_vouched_for(user_model, tmp_path):
    user_model.save(tmp_path)
    for file in damages(tmp_path):
        with pytest.raises(UserError, match=rf"user model 'choice' \(.*{file}.*remove choice.json"):
            ChoiceShopper.load(tmp_path)
    ChoiceShopper.load(tmp_path)


@pytest.mark.parametrize(
    "family, name, change, words",
    [
        ("choice", "shortlist", last_is(LARGE), f"shortlist holds 0..{LARGE}; must be 0..119"),
        ("choice", "shortlist", last_is(-3), "shortlist holds -3..119; must be 0..119"),
        ("choice", "shortlist", lambda tensor: tensor.flip(1).contiguous(), "shortlist does not ascend"),
        ("choice", "category", last_is(LARGE), f"category holds 0..{LARGE}; must be 0..23"),
        ("choice", "sensitivity_class", last_is(2), "sensitivity_class holds 0..2; must be 0..1"),
        ("choice", "tail_item", last_is(120), "tail_item holds 0..120"),
        ("choice", "recent_trials", last_is(-2), "recent_trials holds -2"),
        ("choice", "product_line", lambda tensor: tensor.float(), "product_line holds"),
        ("choice", "product_line_start", last_is(LARGE), "product_line_start holds"),
        ("choice", "familiarity", last_is(127), "familiarity holds 0..127; must be 0..5"),
        ("choice", "last_size_class", last_is(5), "last_size_class holds 0..5; must be 0..4"),
        ("choice", "log_preference", last_is(float("nan")), "log_preference is not finite"),
        ("choice", "state_dependence_share", last_is(float("nan")), "state_dependence_share is not finite"),
        ("choice", "log_preference", shorter, r"log_preference has shape \(199, 120\); must be \(200, 120\)"),
        ("choice", "log_gap_factor", shorter, r"log_gap_factor has shape \(4, 6\); must be \(5, 6\)"),
        ("replay", "line", last_is(LARGE), "line holds"),
        ("replay", "price", last_is(float("inf")), "price is not finite"),
        ("lookalike", "item", last_is(-1), "item holds -1"),
        ("lookalike", "donor", last_is(200), "donor holds 0..200"),
        ("sequence", "shortlist", last_is(LARGE), "shortlist holds"),
        ("sequence", "log_preference", last_is(float("nan")), "log_preference is not finite"),
    ],
)
def test_what_is_damaged_is_refused_on_loading(family, name, change, words, saved, tmp_path):
    folder = damaged(saved, tmp_path, family, name, change)
    with pytest.raises(UserError, match=f"the user model '{family}' is damaged, {words}"):
        FAMILIES[family].load(folder)


def test_an_estimate_without_an_error_is_none(saved, tmp_path):
    none = torch.tensor([0.0, float("inf")])
    folder = damaged(saved, tmp_path, "choice", "state_dependence_share", lambda _: none)
    assert ChoiceShopper.load(folder).params.state_dependence.state_dependence_share[1] == float("inf")


@pytest.mark.parametrize("value", [float("nan"), -1, "much", float("inf")])
def test_assumptions_out_of_range_are_refused_on_loading(value, saved, tmp_path):
    damaged(saved, tmp_path, "choice", "log_preference", lambda tensor: tensor)
    edit_sealed(tmp_path / "choice.json", offer_exposure=value)
    with pytest.raises(UserError, match="choice.json is damaged, offer_exposure"):
        ChoiceShopper.load(tmp_path)


@pytest.mark.parametrize("family", sorted(FAMILIES))
def test_a_model_of_another_log_is_refused(family, saved, dataset):
    config, device = TrainConfig(user_model=family), torch.device("cpu")
    assert population.trained_on(saved, config, dataset, device)
    fewer: Dataset = dataclasses.replace(dataset, shoppers=dataset.shoppers.iloc[1:])
    with pytest.raises(UserError, match=f"the user model '{family}' is of another log"):
        population.trained_on(saved, config, fewer, device)
