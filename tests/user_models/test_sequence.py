"""What `SequenceShopper` promises beyond the contract."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from bundlegym.data import Dataset, visit_rows
from bundlegym.errors import UserError
from bundlegym.user_models import Draws, Offer, SequenceShopper
from bundlegym.user_models.base import TAKE
from bundlegym.user_models.panel import simulated_panel
from bundlegym.user_models.sequence import model as sequence
from bundlegym.user_models.sequence.training import fit_net
from tests.sealing import edit_sealed
from tests.user_models.choice.test_known_answers import DISPLAY, PRICE, draw


@pytest.fixture(scope="module")
def model(dataset):
    return SequenceShopper.fit(dataset, epochs=2, progress=lambda _: None)


def with_largest_baskets(dataset: Dataset) -> int:
    """A shopper who seldom comes for one thing alone: whoever comes buys something, which is no share's
    doing."""
    lines = dataset.purchases.groupby("visit").size()
    return int(lines.groupby(dataset.visits["shopper"][lines.index]).mean().idxmax())  # type: ignore[call-overload]


def test_a_trajectory_does_not_depend_on_neighbours(model, dataset):
    some = np.arange(0, dataset.n_shoppers, 7)
    many = simulated_panel(model, dataset.split.test_weeks, np.arange(dataset.n_shoppers))
    many = many[many["shopper"].isin(some)].reset_index(drop=True)
    few = simulated_panel(model, dataset.split.test_weeks, some)
    assert few.drop(columns="visit").equals(many.drop(columns="visit"))


def test_blocks_of_rows_answer_as_all_at_once(model, dataset, monkeypatch):
    shopper = torch.arange(40)
    state = model.reset(shopper, torch.full_like(shopper, 7 * dataset.split.test_weeks[0]))
    offer = Offer(model.params.histories.shortlist[shopper][:, :3], torch.full((40,), 0.2))
    draws = Draws(0, shopper, torch.zeros_like(shopper))
    whole, after = model.respond(state, offer, draws)
    monkeypatch.setattr(sequence, "_ROWS", 7)
    parts, after_parts = model.respond(state, offer, draws)
    assert all(torch.equal(value, vars(parts)[name]) for name, value in vars(whole).items())
    assert all(torch.equal(value, after_parts[name]) for name, value in after.items())


def test_a_mission_moves_what_a_visit_holds_not_how_much(model, dataset):
    n, loading = 4_000, torch.zeros_like(model.params.missions.mission_loading)
    common = model.params.catalogue.category[
        torch.from_numpy(dataset.purchases["item"].to_numpy(np.int64))
    ].mode()
    loading[common.values, 0] = 3.0
    scale = model.params.missions.mission_scale[:, None]
    level = -(scale**2) * loading.square().sum(1) / 2
    alone = model.params.changed(mission_spread=torch.zeros(len(loading)))
    lively, still = (
        model.with_parameters(alone.changed(mission_loading=k * loading, category_level=k * level))
        for k in (1.0, 0.0)
    )
    shopper = torch.full((n,), with_largest_baskets(dataset))
    state = model.reset(shopper, torch.full((n,), 7 * dataset.split.test_weeks[0]))
    draws = Draws(0, torch.arange(n), torch.zeros_like(shopper))
    lines, own = [], []
    for one in (lively, still):
        answer, _ = one.respond(state, Offer.nothing(n, 1, model.device), draws)
        mine = model.params.catalogue.category[answer.item] == common.values
        lines.append(torch.bincount(answer.row, minlength=n).float())
        own.append(torch.bincount(answer.row[mine], minlength=n).float())
    assert float(lines[0].mean()) == pytest.approx(float(lines[1].mean()), rel=0.05)
    spread = [float(count.var() / count.mean()) for count in own]  # 1 of purchases that share no mission
    assert spread[1] < 1.1 and spread[0] > 1.3


def test_the_state_at_a_visit_is_what_the_visits_before_leave(model, dataset):
    """Hearing the last basket of a week at the door of its visit gives the table's state of the next week."""
    visits = dataset.visits
    last = visits.groupby(["shopper", "week"]).tail(1)
    last = last[last["week"] < dataset.n_weeks - 1]
    rows = last.index.to_numpy()[::9]
    state = model.at_visits(dataset, rows)
    lines = dataset.purchases[dataset.purchases["visit"].isin(rows)]
    row = torch.from_numpy(np.searchsorted(rows, lines["visit"]))
    item = torch.from_numpy(lines["item"].to_numpy(np.int64))
    gap = torch.where(state["days_since_visit"] == 1_000, 0, state["days_since_visit"])
    shopper, week = (torch.from_numpy(visits[c].to_numpy(np.int64)[rows]) for c in ("shopper", "week"))
    after = model.reset(shopper, 7 * (week + 1))
    assert torch.allclose(model._hear(state["hidden"], row, item, gap), after["hidden"], atol=1e-5)
    bought = (model.params.histories.shortlist[shopper][row] == item[:, None]).float()
    assert torch.equal(state["times_bought"].index_add(0, row, bought), after["times_bought"])


def test_shares_are_those_of_simulated_lines(model, dataset):
    n = 20_000
    rows = visit_rows(dataset, dataset.split.test_weeks)
    rows = rows[dataset.visits["shopper"].to_numpy()[rows] == with_largest_baskets(dataset)][:1]
    # Shares are those before the mission of a trip and the level of its size.
    missions = ("mission_loading", "mission_spread", "category_level")
    none = {name: torch.zeros_like(getattr(model.params.missions, name)) for name in missions}
    model = model.with_parameters(model.params.changed(**none))
    one = model.at_visits(dataset, rows)
    state = {name: value.repeat_interleave(n, 0) for name, value in one.items()}
    draws = Draws(0, torch.arange(n), torch.zeros(n, dtype=torch.int64))
    response, _ = model.respond(state, Offer.nothing(n, 1, model.device), draws)
    seen = torch.bincount(response.item, minlength=dataset.n_items) / len(response.item)
    share = model.log_share(one).exp()[0]
    assert float((seen - share).abs().sum()) / 2 < 0.05  # total variation


def test_price_and_display_are_found_again():
    world = draw({})
    known = np.ones(world.dataset.n_shoppers, dtype=bool)
    net = fit_net(world.dataset, world.weeks, known, width=8, epochs=10, seed=0, progress=lambda _: None)
    assert float(net.slope().mean().detach()) == pytest.approx(PRICE, rel=0.1)
    assert float(net.promotion[0].detach()) == pytest.approx(DISPLAY, rel=0.15)


def test_a_bundle_teaches_the_network_nothing(model, dataset):
    """Twins hear the same, whatever was bought in a bundle; what was bought before is not needed so soon."""
    shopper = torch.arange(40)
    state = model.reset(shopper, torch.full_like(shopper, 7 * dataset.split.test_weeks[0]))
    best = state["times_bought"].topk(3, 1).indices
    offer = Offer(model.params.histories.shortlist[shopper].gather(1, best), torch.full((40,), 0.5))
    draws = Draws(0, shopper, torch.zeros_like(shopper))
    answer, after = model.respond(state, offer, draws)
    _, twin = model.respond(state, Offer.nothing(40, 3, model.device), draws)
    took = answer.choice == TAKE
    assert took.any()
    assert torch.equal(after["hidden"], twin["hidden"]) and torch.equal(
        after["times_bought"], twin["times_bought"]
    )
    known = state["times_bought"].gather(1, best)[took] > 0
    assert (after["last_bought"].gather(1, best)[took][known] == state["day"][0]).all()
    assert not torch.equal(after["last_bought"], twin["last_bought"])


def test_the_fit_sees_nothing_of_later_weeks_and_other_shoppers(dataset):
    weeks, shoppers = dataset.split.train_weeks, ~dataset.split.held_out
    seen = np.zeros(len(dataset.visits), dtype=bool)
    seen[visit_rows(dataset, weeks, shoppers)] = True
    hidden = ~seen[dataset.purchases["visit"].to_numpy()]
    purchases = dataset.purchases.copy()
    # Others bought the week's items, so that in each week the log shows the prices that it showed.
    week = dataset.visits["week"].to_numpy()[purchases["visit"][hidden]]
    others = purchases.loc[hidden, "item"].groupby(week).transform(lambda items: np.roll(items, 1))
    assert (others != purchases.loc[hidden, "item"]).mean() > 0.9
    purchases.loc[hidden, "item"] = others
    nets = [
        fit_net(log, weeks, shoppers, width=8, epochs=1, seed=0, progress=lambda _: None)
        for log in (dataset, replace(dataset, purchases=purchases))
    ]
    for one, two in zip(*(net.parameters() for net in nets), strict=True):
        assert torch.equal(one, two)


def test_loading_what_an_earlier_version_wrote_is_a_clear_error(model, tmp_path):
    model.save(tmp_path)
    leaves = load_file(tmp_path / "sequence.safetensors")
    del leaves["last_size_class"]
    save_file(leaves, tmp_path / "sequence.safetensors")
    edit_sealed(tmp_path / "sequence.json")
    with pytest.raises(UserError, match="earlier version"):
        SequenceShopper.load(tmp_path)
