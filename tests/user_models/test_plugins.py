"""Shoppers of one's own: the plain class, the shipped contract, and what it says about broken ones."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from bundlegym.errors import UserError
from bundlegym.user_models import Answer, ChoiceShopper, Draws, Offer, PlainShoppers, build_user_model
from bundlegym.user_models.registry import parse_arguments
from bundlegym.user_models.testing import main, problems

EXAMPLES = Path(__file__).parents[2] / "examples"


class Regular:
    """Takes every bundle at a fair discount, else buys the first item of it on some days."""

    def __init__(self, dataset, fair=0.2):
        self.fair = fair

    def reset(self, shopper, day):
        return {"visits": 0, "mood": np.zeros(3)}

    def respond(self, state, visit, luck):
        state["visits"] += 1
        if visit.discount >= self.fair:
            return Answer(take=True)
        return Answer(basket={visit.offer[0]: 2} if visit.offer and luck.random() < 0.5 else {}, days=3)


def test_the_choice_shopper_keeps_the_contract(user_model, dataset):
    assert problems(user_model, dataset) == []


def test_a_plain_class_keeps_the_contract(dataset):
    model = build_user_model(Regular, dataset, {"fair": 0.3})
    assert isinstance(model, PlainShoppers) and problems(model, dataset) == []


def test_a_plain_answer_becomes_lines_at_the_right_price(dataset):
    model = build_user_model(Regular(dataset), dataset)
    state = model.reset(torch.tensor([0, 1]), torch.tensor([70, 70]))
    offer = Offer(torch.tensor([[4, 9, -1], [4, 9, -1]]), torch.tensor([0.5, 0.0]))
    response, after = model.respond(
        state, offer, Draws(0, torch.arange(2), torch.zeros(2, dtype=torch.int64))
    )
    first = response.row == 0
    shelf = torch.from_numpy(dataset.shelf_price[[4, 9], 10])
    assert response.choice[0] == 2 and torch.equal(response.item[first], torch.tensor([4, 9]))
    torch.testing.assert_close(response.price[first], shelf * 0.5)
    assert response.choice[1] in (0, 1)
    assert after["visits"].tolist() == [1, 1] and after["_day"].tolist() == [77, 73]


def broken(**methods) -> type:
    return type("Broken", (Regular,), methods)


def remembers(self, state, visit, luck):
    self.count = getattr(self, "count", 0) + 1
    return Answer(basket={self.count % 5: 1})


def halves_a_count(self, state, visit, luck):
    state["visits"] += 0.5
    return Answer()


def changes_prices(self, state, visit, luck):
    visit.prices[0] = 0.01
    return Answer()


@pytest.mark.parametrize(
    "cls, words",
    [
        (broken(reset=lambda self, shopper, day: 3), "a state must be a dict"),
        (broken(reset=lambda self, shopper, day: {"name": "Ann"}), "state 'name' is of type"),
        (broken(reset=lambda self, s, day: {"a": np.zeros(s % 2 + 1)}), "state 'a' changes its shape"),
        (broken(respond=lambda self, state, visit, luck: "take"), "Broken.respond gave str"),
        (broken(respond=lambda self, state, visit, luck: Answer(basket={99_999: 1})), "bought item 99999"),
        (
            broken(respond=lambda self, state, visit, luck: Answer(basket={0: 0})),
            "quantity 0 is out of range",
        ),
        (broken(respond=lambda self, state, visit, luck: Answer(days=-1)), "days -1 is out of range"),
        (
            broken(respond=lambda self, state, visit, luck: Answer(days=2**62)),
            f"days {2**62} is out of range",
        ),
        (
            broken(respond=lambda self, state, visit, luck: Answer(days=2**70)),
            f"days {2**70} is out of range",
        ),
        (broken(respond=lambda self, state, visit, luck: Answer(days=1.5)), "days 1.5 is out of range"),  # type: ignore[arg-type]
        (broken(respond=lambda self, state, visit, luck: Answer(take="no")), "take 'no'; must be True or"),  # type: ignore[arg-type]
        (broken(respond=lambda self, state, visit, luck: Answer(left=0)), "left 0; must be True or False"),  # type: ignore[arg-type]
        (broken(respond=lambda self, state, visit, luck: Answer(basket={0: 10**15})), f"quantity {10**15}"),
        (broken(respond=lambda self, state, visit, luck: Answer(basket={0: 1.5})), "quantity 1.5"),  # type: ignore[dict-item]
        (broken(respond=lambda self, state, visit, luck: Answer(basket={0.5: 1})), "bought item 0.5"),  # type: ignore[dict-item]
        (broken(respond=lambda self, state, visit, luck: Answer(basket=[3])), "a basket that is a list"),  # type: ignore[arg-type]
        (broken(respond=halves_a_count), "state 'visits' becomes torch.float64, and was torch.int64"),
        (broken(respond=changes_prices), "read-only"),
        (broken(respond=lambda self, state, visit, luck: Answer(basket={np.random.randint(9): 1})), "global"),
        (broken(respond=lambda self, state, visit, luck: 1 / 0), "ZeroDivisionError"),
        (broken(respond=remembers), "nothing may be remembered outside the state"),
    ],
)
def test_what_is_wrong_is_said_in_plain_words(cls, words, dataset):
    found = problems(build_user_model(cls, dataset), dataset)
    assert any(words in problem for problem in found), found


def test_a_visit_without_an_end_is_stopped(dataset):
    def respond(self, state, visit, luck):
        while True:
            pass

    found = problems(build_user_model(broken(respond=respond), dataset), dataset, patience=0.2)
    assert found == ["respond: takes over 0.2 s for 24 shoppers; does it ever end?"]


def test_what_is_wrong_with_a_batched_model_is_said(user_model, dataset):
    class Careless(ChoiceShopper):
        def respond(self, state, offer, draws):
            response, after = super().respond(state, offer, draws)
            state["day"] += 1
            return dataclasses.replace(response, choice=torch.full_like(response.choice, 2)), after

    found = " ".join(problems(Careless(user_model.params), dataset))
    assert "with nothing offered, choice must be 0" in found
    assert "changes the state 'day'" in found
    assert "took the bundle" in found


@pytest.mark.parametrize(
    "spec, arguments, words",
    [
        (3, {}, "has no method reset"),
        (Regular, {"fairness": 1}, "no argument 'fairness'; known are fair"),
        ("unknown", {}, "give module:Class"),
        ("no_such_module:Class", {}, "no module no_such_module"),
        ("json:Nothing", {}, "holds no Nothing"),
    ],
)
def test_wrong_classes_are_refused(spec, arguments, words, dataset):
    with pytest.raises(UserError, match=words):
        build_user_model(spec, dataset, arguments)


def test_arguments_of_the_command_line():
    assert parse_arguments(["a=1", "b=0.5", "c=text", "d=[1, 2]"]) == {
        "a": 1,
        "b": 0.5,
        "c": "text",
        "d": [1, 2],
    }
    with pytest.raises(UserError, match="name=value"):
        parse_arguments(["a"])


def test_a_class_of_the_working_directory(tmp_path, monkeypatch, capsys):
    (tmp_path / "corner_shop.py").write_text(
        "from bundlegym.user_models import Answer\n"
        "class Shopper:\n"
        "    def reset(self, shopper, day): return {}\n"
        "    def respond(self, state, visit, luck): return Answer(take=True)\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    assert main(["corner_shop:Shopper"]) == 0
    assert "keeps the contract" in capsys.readouterr().out
    assert main(["corner_shop:Shoper"]) == 2
    assert "corner_shop.py holds no Shoper" in capsys.readouterr().out


def test_the_rule_example_keeps_the_contract(monkeypatch, capsys):
    monkeypatch.chdir(EXAMPLES)
    monkeypatch.setattr(sys, "path", list(sys.path))
    assert main(["rule_shopper:RuleShopper", "fair_discount=0.2"]) == 0
    assert "keeps the contract (a plain class)" in capsys.readouterr().out
