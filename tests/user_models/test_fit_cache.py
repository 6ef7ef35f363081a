"""A fit gives the same numbers on any number of threads, and goes on where it was interrupted."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from threadpoolctl import threadpool_limits
from torch import Tensor

from bundlegym.errors import UserError
from bundlegym.user_models import ChoiceShopper
from bundlegym.user_models.choice.parameters import StateDependence
from bundlegym.user_models.fit_cache import FitCache, fit_folder
from bundlegym.user_models.parameters import Parameters, as_tensor, parameter
from tests.sealing import damages


@dataclass(frozen=True)
class Visits(Parameters):
    same_day_prob: Tensor = parameter("", "chance of another visit on the same day")
    visit_rate: Tensor = parameter("", "visits a day")


def same(one: ChoiceShopper, two: ChoiceShopper) -> bool:
    others = dict(two.params.leaves())
    return all(torch.equal(value, others[name]) for name, value in one.params.leaves())


@pytest.fixture(scope="module")
def whole(dataset, few_steps) -> ChoiceShopper:
    """Of one thread, and never interrupted."""
    return ChoiceShopper.fit(dataset, epochs=2, progress=lambda _: None)


def test_threads_change_nothing(dataset, whole):
    torch.set_num_threads(3)
    try:
        with threadpool_limits(3):
            assert same(whole, ChoiceShopper.fit(dataset, epochs=2, progress=lambda _: None))
        assert torch.get_num_threads() == 3  # the caller's own choice comes back
    finally:
        torch.set_num_threads(1)


def test_an_interrupted_fit_goes_on(dataset, whole, tmp_path):
    def interrupt(text: str) -> None:
        if "synergy" in text:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ChoiceShopper.fit(dataset, epochs=2, progress=interrupt, cache=tmp_path)
    said: list[str] = []
    resumed = ChoiceShopper.fit(dataset, epochs=2, progress=said.append, cache=tmp_path)
    assert same(whole, resumed)
    assert not any("epoch" in text for text in said) and not list(tmp_path.rglob("*.part"))

    (damaged,) = tmp_path.rglob("sizes.safetensors")
    damaged.write_bytes(b"no such thing")
    assert same(whole, ChoiceShopper.fit(dataset, epochs=2, progress=said.append, cache=tmp_path))
    assert any("damaged" in text for text in said)


def test_a_damaged_stage_is_made_anew_whichever_byte_it_is(tmp_path):
    made = Visits(torch.tensor([0.25]), torch.arange(1.0, 40.0))
    said: list[str] = []
    cache = FitCache(tmp_path, said.append)
    cache("incidence", Visits, lambda: made)
    for _ in damages(tmp_path):
        said.clear()
        again = cache("incidence", Visits, lambda: made)
        assert torch.equal(again.visit_rate, made.visit_rate) and "damaged" in said[0]
    cache("incidence", Visits, lambda: made)
    assert "incidence from" in said[-1]


def test_what_a_fit_depends_on_is_in_the_name_of_its_folder(dataset, tmp_path):
    mask = ~dataset.split.held_out
    settings = {"weeks": (0, 9), "shoppers": mask, "seed": 0}
    folder = fit_folder(tmp_path, dataset, **settings)
    assert folder == fit_folder(tmp_path, dataset, **settings)
    purchases = dataset.purchases.assign(quantity=dataset.purchases["quantity"] + 1)
    others = [
        fit_folder(tmp_path, dataset, **settings | {"seed": 1}),
        fit_folder(tmp_path, dataset, **settings | {"shoppers": ~mask}),
        fit_folder(tmp_path, dataclasses.replace(dataset, purchases=purchases), **settings),
    ]
    assert len({folder, *others}) == 4


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(UserError, match="file"):
        FitCache(tmp_path / "file", print)("one", Visits, lambda: Visits(torch.zeros(1), torch.zeros(1)))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_numbers_that_are_not_finite_are_an_error_and_not_kept(tmp_path, bad):
    cache = FitCache(tmp_path, lambda _: None)
    with pytest.raises(UserError, match=r"stage 'incidence': 1 of 3 numbers of visit_rate are not finite"):
        cache("incidence", Visits, lambda: Visits(torch.ones(2), torch.tensor([1.0, bad, 2.0])))
    assert not list(tmp_path.iterdir())
    with pytest.raises(UserError, match="'incidence'"):
        FitCache(None, lambda _: None)(
            "incidence", Visits, lambda: Visits(torch.ones(1), torch.tensor([bad]))
        )


def test_a_standard_error_may_be_infinite(tmp_path):
    def found(estimate: float) -> StateDependence:
        return StateDependence(as_tensor(np.array([estimate, np.inf])), torch.zeros(1))

    cache = FitCache(tmp_path, lambda _: None)
    cache("state_dependence", StateDependence, lambda: found(0.0))
    with pytest.raises(UserError, match="state_dependence_share"):
        cache("other", StateDependence, lambda: found(np.nan))


def test_prices_that_are_none_end_the_fit_in_a_sentence(dataset, tmp_path):
    prices = np.where(np.arange(dataset.n_items)[:, None] == 3, 0.0, dataset.shelf_price)
    broken = dataclasses.replace(dataset, shelf_price=prices)
    with pytest.raises(UserError, match="not finite"), np.errstate(all="ignore"):
        ChoiceShopper.fit(broken, epochs=1, progress=lambda _: None, cache=tmp_path)
    # Weights of preferences know no prices.
    assert {kept.stem for kept in tmp_path.rglob("*.safetensors")} <= {"preferences"}
