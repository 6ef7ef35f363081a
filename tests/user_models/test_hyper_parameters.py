"""All hyper-parameters of a fit are in `ChoiceConfig`, documented, checked, and read by the fit."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

import pytest

from bundlegym.errors import UserError
from bundlegym.user_models import ChoiceShopper
from bundlegym.user_models.choice import model as choice_model
from bundlegym.user_models.choice.config import ChoiceConfig
from bundlegym.user_models.choice.estimation.coefficients import CoefficientsConfig
from bundlegym.user_models.choice.estimation.substitution import SubstitutionConfig
from bundlegym.user_models.components.attribute_tastes import AttributeTastesConfig
from bundlegym.user_models.components.basket_size import BasketSizeConfig
from bundlegym.user_models.components.preferences import PreferencesConfig
from bundlegym.user_models.components.quantity import QuantityConfig
from bundlegym.user_models.components.size_constants import SizeConstantsConfig
from bundlegym.user_models.components.wear_out import WearOutConfig
from bundlegym.user_models.config import Config, fields_of
from bundlegym.user_models.hyper_parameters import table

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "model.md").read_text(encoding="utf-8")

#: Changed on purpose alone: all fits rest on them.
DEFAULTS: dict[str, tuple[Any, ...]] = {
    "": (144, 6),
    "needs": (0.5, 10.0),
    "coefficients": (512, 32, 400, 0.05, 0.5, 0.3),
    "preferences": (39.0, 8.0, 300.0, 1500.0, 250.0, 1.0, 0.4, 15, 80, 0.85, 0.5, 30.0),
    "preferences.attribute_tastes": (3.0, 0.1, 0.02, 8),
    "marketing": (0.9,),
    "complementarity": (5.0, 0.25),
    "missions": (0.005, 0.95, 5, 40, 0.15, 20.0, 0.5, 2.5),
    "substitution": (5, 10.0, -3.0),
    "size_constants": (20.0, (2, 2, 4, 12), (4,)),
    "exploration": (5, 1.5, 100.0),
    "variants": (0.5, 50.0, 0.9),
    "coupons": (0.25,),
    "wear_out": (0.5, 30, 0.5),
    "state_dependence": (4, 6, 4, 3, 3, 0.5),
    "incidence": (0.67, 13.0, 14.0, 15.0, 8.0, 1.0),
    "basket_size": (8.0, 16.0, 8, 60, 20.0, 50.0),
    "quantity": (80.0, 10.0, (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 64.0), 0.8, 16, 20.0, 1.0, 10, 40),
}


def copied(config: Config) -> Any:
    """The same values in new objects, down to the innermost."""
    nested = {name: copied(value) for name, value in vars(config).items() if isinstance(value, Config)}
    return dataclasses.replace(config, **nested)


def parts(config: Config, path: str = "") -> dict[int, str]:
    """Id -> path of a configuration and of all that are nested in it."""
    found = {id(config): path}
    for name, value in vars(config).items():
        if isinstance(value, Config):
            found |= parts(value, f"{path}.{name}".strip("."))
    return found


def test_the_page_holds_the_table_that_the_command_prints() -> None:
    found = re.search(r"<!-- hyper-parameters -->\n(.*)\n<!-- end of hyper-parameters -->", PAGE, re.DOTALL)
    assert found, "docs/model.md has no table of hyper-parameters"
    command = "python -m bundlegym.user_models.hyper_parameters"
    assert found[1] == table(), f"put what `{command}` prints into docs/model.md"


def test_each_field_has_a_doc_that_stands_by_itself() -> None:
    fields = list(fields_of(ChoiceConfig()))
    assert [name for name, _, doc in fields if len(doc.split()) < 3 or doc.startswith("The same")] == []


def test_no_default_changes_by_accident() -> None:
    found: dict[str, tuple[Any, ...]] = {}
    for name, value, _ in fields_of(ChoiceConfig()):
        part = name.rpartition(".")[0]
        found[part] = (*found.get(part, ()), value)
    assert found == DEFAULTS


@pytest.mark.parametrize(
    ("kind", "field", "value", "said"),
    [
        (PreferencesConfig, "half_life", 0.0, "above 0"),
        (PreferencesConfig, "half_life", float("nan"), "above 0"),
        (PreferencesConfig, "half_life", "39", "above 0"),
        (PreferencesConfig, "factor_share", 1.5, "from 0 to 1"),
        (PreferencesConfig, "discount", 1.0, "between 0 and 1"),
        (PreferencesConfig, "factors", 2.5, "a whole number, 1 or more"),
        (PreferencesConfig, "attribute_tastes", QuantityConfig(), "an instance of AttributeTastesConfig"),
        (AttributeTastesConfig, "steps", 0, "a whole number, 1 or more"),
        (CoefficientsConfig, "batch", True, "a whole number"),
        (SubstitutionConfig, "least", 1.0, "below 0"),
        (SizeConstantsConfig, "simulations", (), "a tuple"),
        (SizeConstantsConfig, "simulations", (2, 0), "a whole number, 1 or more"),
        (WearOutConfig, "in_mailer", -0.1, "between 0 and 1"),
        (ChoiceConfig, "shortlist_size", 0, "a whole number, 1 or more"),
        (ChoiceConfig, "quantity", 3, "an instance of QuantityConfig"),
    ],
)
def test_a_value_out_of_its_range_is_refused_by_name(kind, field, value, said) -> None:
    with pytest.raises(UserError, match=f"{kind.__name__}.{field}: must be {said}"):
        kind(**{field: value})


def test_whole_numbers_may_stand_for_others() -> None:
    assert PreferencesConfig(half_life=26).half_life == 26


def test_a_fit_reads_each_field_of_its_configuration_and_of_no_other(dataset, monkeypatch) -> None:
    """A fit that was not handed its part would read the default one, of other objects."""
    wear_out = WearOutConfig(least_item_weeks=1)  # so that factors are shrunk
    few = CoefficientsConfig(steps=40)
    config = copied(ChoiceConfig(epochs=1, shortlist_size=40, wear_out=wear_out, coefficients=few))
    mine, read, strange = parts(config), set(), set()

    def recording(self: Config, name: str) -> Any:
        value = object.__getattribute__(self, name)
        if name in object.__getattribute__(self, "__dict__") and type(self) is not ChoiceConfig:
            if id(self) in mine:
                read.add(f"{mine[id(self)]}.{name}")
            else:
                strange.add(f"{type(self).__name__}.{name}")
        return value

    monkeypatch.setattr(Config, "__getattribute__", recording)
    # The selection of preferences makes configurations of its own.
    model = ChoiceShopper.fit(
        dataset, progress=lambda _: None, config=config, without=("preference_selection",)
    )
    monkeypatch.undo()
    assert strange == set()
    assert {name for name, _, _ in fields_of(config) if "." in name} - read == set()
    assert model.params.shortlists.shortlist.shape[1] == 40


def test_arguments_of_a_fit_stand_in_place_of_fields_and_settings_name_the_cache(
    dataset, tmp_path, monkeypatch
) -> None:
    seen: list[tuple[Any, ChoiceConfig]] = []

    class Enough(Exception):
        pass

    def stop(*_: Any, cache: Any, config: ChoiceConfig, **__: Any) -> None:
        seen.append((cache.folder, config))
        raise Enough

    monkeypatch.setattr(choice_model, "fit_parameters", stop)
    half = AttributeTastesConfig(variance=0.5)
    for options in (
        {},
        {"config": ChoiceConfig()},
        {"epochs": 2, "shortlist_size": 40},
        {"config": ChoiceConfig(epochs=2, shortlist_size=40)},
        {"config": ChoiceConfig(basket_size=BasketSizeConfig(bin_lines=10.0))},
        {"config": ChoiceConfig(preferences=PreferencesConfig(attribute_tastes=half))},
        {"config": ChoiceConfig(size_constants=SizeConstantsConfig(simulations=(2, 2)))},
    ):
        with pytest.raises(Enough):
            ChoiceShopper.fit(dataset, progress=lambda _: None, cache=tmp_path, **options)
    folders, configs = zip(*seen, strict=True)
    assert folders[0] == folders[1] and folders[2] == folders[3] and len(set(folders)) == 5
    assert configs[2] == configs[3] and (configs[2].epochs, configs[2].shortlist_size) == (2, 40)
    with pytest.raises(UserError, match=r"ChoiceConfig\.epochs"):
        ChoiceShopper.fit(dataset, epochs=0)
