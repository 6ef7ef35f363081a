"""Who reacts in a run: the user model that agents train on, and those that only judge."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bundlegym.data import Dataset
from bundlegym.data.support import deepest_discount
from bundlegym.envs import EnvConfig
from bundlegym.envs.base import SHOPPER_EMBEDDING
from bundlegym.envs.forecasts import can_forecast
from bundlegym.errors import UserError
from bundlegym.evaluation.config import TrainConfig
from bundlegym.terminal import remark
from bundlegym.user_models import ChoiceShopper, UserModel, build_user_model
from bundlegym.user_models.registry import FAMILIES, fit_family, parse_arguments
from bundlegym.user_models.requirements import cannot_learn, check_requirements, lacking
from bundlegym.user_models.testing import problems

#: The folder of those that only judge, in that of the run.
_JUDGES = "judges"


def limits(config: TrainConfig, dataset: Dataset) -> list[str]:
    """Sentences that belong beside a run's results: what the log tells nothing of, and judges that it is too
    small for.

    Raises:
        UserError: the log is too small for the user model that agents train on, or for the candidates.
    """
    known = sample(~dataset.split.held_out, config)
    if config.user_model in FAMILIES:
        check_requirements(config.user_model, dataset, dataset.split.train_weeks, known)
    if config.env.n_candidates > dataset.n_items:
        raise UserError(
            f"--n-candidates {config.env.n_candidates}: the catalogue of {dataset.name} holds only "
            f"{dataset.n_items} items; give as many or fewer, or a lower --min-purchases"
        )
    told = cannot_learn(dataset, dataset.split.train_weeks, known)
    if len(config.exposures) > 1 and not dataset.mailer[:, slice(*dataset.split.train_weeks)].any():
        told.append(
            f"{dataset.name}: no item is mailed, so an offer that works like the log's own mailer is only "
            "its discount: the tables under each --offer-exposure say the same, and what being offered does "
            "by itself in this shop is not known"
        )
    if config.offers is not None:
        told.append(
            f"what an offer does beside its discount is learned from offers ({config.offers.name}): "
            f"offer_exposure {config.exposures[0]:g}, bundle_pull {config.bundle_pull:g}"
        )
    for family in config.judges:
        if sentence := judge_lacks(family, config, dataset):
            told.append(f"no judge {family!r} in the tables: {sentence}")
    return told


def assumed(config: TrainConfig) -> list[str]:
    """Sentences on what no log shows and the run takes for granted, beside the assumptions of its tables."""
    if not config.bundle_pull:
        return []
    who = [f"{name}, judge" for name in config.judges if name == "choice"]
    whence = "is an assumption that no log shows" if config.offers is None else "is learned from offers"
    return [
        f"--bundle-pull {config.bundle_pull:g} {whence}; it holds for "
        f"{' and '.join([config.user_model, *who])}, and for no other judge"
    ]


def supported(config: TrainConfig, dataset: Dataset) -> tuple[EnvConfig, list[str]]:
    """The offers that agents may make and what they see, without discounts deeper than those that the
    training weeks know well unless they are asked for; and a sentence on what is left out, or extrapolated.

    Raises:
        UserError: no discount is left.
    """
    env, deepest = _with_vectors(config), deepest_discount(dataset, dataset.split.train_weeks)
    beyond = [level for level in env.discounts if level > deepest]
    if not beyond:
        return env, []
    levels = ", ".join(f"{level:.0%}" for level in beyond)
    knows = f"promotions of {deepest:.0%} at most" if deepest else "no promotions"
    about = f"{dataset.name} knows {knows} well enough to tell what shoppers do then"
    if config.beyond_support:
        return env, [f"{about}; offers at {levels} off are an extrapolation"]
    left = tuple(level for level in env.discounts if level not in beyond)
    if not left:
        raise UserError(f"--discounts: {about}; give smaller ones, or --beyond-support")
    sentence = f"{about}; no offers at {levels} off, which --beyond-support would allow"
    return dataclasses.replace(env, discounts=left), [sentence]


def _with_vectors(config: TrainConfig) -> EnvConfig:
    """With the block of shopper vectors where a recommender for it is named."""
    seen = config.env.observation
    if not config.shopper_embeddings or SHOPPER_EMBEDDING in seen:
        return config.env
    return dataclasses.replace(config.env, observation=(*seen, SHOPPER_EMBEDDING))


def check_forecasts(env: EnvConfig, family: str, plugged: UserModel | None) -> None:
    """Raise `UserError` where forecasts are asked for that the user model trained on cannot make."""
    if "forecasts" in env.observation and not can_forecast(type(plugged) if plugged else FAMILIES[family]):
        raise UserError(
            f"--observation: no forecasts with {family}, which cannot tell what items are worth to a shopper"
        )


def judge_lacks(family: str, config: TrainConfig, dataset: Dataset) -> str:
    """What a family lacks to be fitted as a judge (`requirements.lacking`), or nothing."""
    return lacking(family, dataset, _judged_weeks(dataset), sample(dataset.split.held_out, config))


def _judged_weeks(dataset: Dataset) -> tuple[int, int]:
    """The weeks that judges are fitted on."""
    return dataset.split.train_weeks[0], dataset.split.validation_weeks[1]


def sample(shoppers: np.ndarray, config: TrainConfig) -> np.ndarray:
    """(n_shoppers,) bool: those of `shoppers` (n_shoppers,) bool that a user model is fitted on."""
    codes = np.flatnonzero(shoppers)
    if config.fit_shoppers:
        codes = np.random.default_rng(config.seed).permutation(codes)[: config.fit_shoppers]
    return np.isin(np.arange(len(shoppers)), codes)


def plugged(config: TrainConfig, dataset: Dataset, device: torch.device, *, check: bool) -> UserModel | None:
    """The user's own shoppers, where `--user-model` names a class.

    Raises:
        UserError: they cannot be made, or they are to be checked and do not keep the contract.
    """
    if ":" not in config.user_model:
        return None
    arguments = parse_arguments(config.user_model_args)
    return checked(config.user_model, arguments, dataset, device, check=check)


def checked(
    spec: str, arguments: dict[str, Any], dataset: Dataset, device: torch.device, *, check: bool
) -> UserModel:
    """The shoppers of a class of the user's own, `spec` being module:Class.

    Raises:
        UserError: they cannot be made, or they are to be checked and do not keep the contract.
    """
    model = build_user_model(spec, dataset, arguments, device)
    if check and (found := problems(model, dataset)):
        raise UserError(f"--user-model {spec}: {'; '.join(found)}")
    return model


@dataclass(frozen=True)
class Fit:
    """A user model that a run needs: its family, and whether it only judges."""

    family: str
    judge: bool

    def __str__(self) -> str:
        return f"user model {self.family}{', judge' if self.judge else ''}"


def missing(folder: Path, config: TrainConfig, dataset: Dataset) -> list[Fit]:
    """The user models of a run that are not yet fitted into its folder; none needs another."""
    fits = [Fit(config.user_model, False)] if config.user_model in FAMILIES else []
    fits += [Fit(name, True) for name in config.judges if not judge_lacks(name, config, dataset)]
    return [fit for fit in fits if not _is_kept(folder / _JUDGES if fit.judge else folder, fit.family)]


def trained_on(
    folder: Path, config: TrainConfig, dataset: Dataset, device: torch.device, *, start: Path | None = None
) -> UserModel:
    """The family that agents train on: fitted on the training weeks of shoppers who are not held out, or of
    some of them (`sample`); the fit goes on from that of the run in `start`."""
    options: dict[str, Any] = {"shoppers": sample(~dataset.split.held_out, config)}
    options |= {"progress": _telling(config.user_model)}
    options |= _from(start, config.user_model, device)
    return _kept(folder, config.user_model, dataset, device, config, options)


def under(model: UserModel, config: TrainConfig, exposure: float) -> UserModel:
    """A model under the assumptions of a run, if it makes such; else the model itself."""
    if isinstance(model, ChoiceShopper):
        return model.under(offer_exposure=exposure, bundle_pull=config.bundle_pull)
    return model


def judge(
    folder: Path,
    family: str,
    config: TrainConfig,
    dataset: Dataset,
    device: torch.device,
    *,
    start: Path | None = None,
) -> UserModel:
    """A family that has seen nobody whom an agent trained on: fitted on held-out shoppers, or on some of them
    (`sample`), to the test weeks; the fit goes on from that of the run in `start`."""
    options: dict[str, Any] = {"shoppers": sample(dataset.split.held_out, config)}
    options |= {"weeks": _judged_weeks(dataset), "progress": _telling(f"{family}, judge")}
    options |= _from(start and start / _JUDGES, family, device)
    return _kept(folder / _JUDGES, family, dataset, device, config, options)


def judges(
    folder: Path, config: TrainConfig, dataset: Dataset, device: torch.device, *, start: Path | None = None
) -> dict[str, UserModel]:
    """Each `judge` of a run that the log suffices for, by the name of its family."""
    return {
        family: judge(folder, family, config, dataset, device, start=start)
        for family in config.judges
        if not judge_lacks(family, config, dataset)
    }


def missing_halves(folder: Path, refits: int, config: TrainConfig) -> list[int]:
    """Which of the first `refits` halves of the training shoppers no user model is fitted on yet.

    Raises:
        UserError: the user model that agents train on is no family.
    """
    if config.user_model not in FAMILIES:
        raise UserError(f"--refits: {config.user_model} is not fitted by bundlegym; give 0")
    return [half for half in range(refits) if not _is_kept(_of_half(folder, half), config.user_model)]


def refitted(
    folder: Path, half: int, config: TrainConfig, dataset: Dataset, device: torch.device
) -> UserModel:
    """The family that agents train on, fitted on a random half of the training shoppers, one of many.

    Raises:
        UserError: the half is too small for it.
    """
    training = np.flatnonzero(sample(~dataset.split.held_out, config))
    some = np.random.default_rng((config.seed, half)).permutation(training)[: len(training) // 2]
    options = {"shoppers": np.isin(np.arange(dataset.n_shoppers), some), "progress": lambda _: None}
    return _kept(_of_half(folder, half), config.user_model, dataset, device, config, options)


def _telling(name: str) -> Callable[[str], None]:
    """The progress of a fit, told of the user model by what it is called in the tables."""
    return lambda sentence: remark(sentence.replace("user model:", f"{name}:", 1))


def _of_half(folder: Path, half: int) -> Path:
    return folder / "refits" / str(half)


def _from(start: Path | None, family: str, device: torch.device) -> dict[str, Any]:
    """The option of a fit that goes on from what was fitted into the folder `start`, if anything was."""
    if start is None or not _is_kept(start, family):
        return {}
    return {"start": FAMILIES[family].load(start, device)}


def _is_kept(folder: Path, family: str) -> bool:
    return (folder / f"{family}.json").exists()


def _kept(
    folder: Path, family: str, dataset: Dataset, device: torch.device, config: TrainConfig, options: dict
) -> UserModel:
    """What was fitted before into `folder`, or fitted now and kept there.

    Raises:
        UserError: what was fitted before is damaged, or is of a log that has changed since.
    """
    cls = FAMILIES[family]
    if not _is_kept(folder, family):
        more = {"epochs": config.fit_epochs, "seed": config.seed, "cache": config.data.cache_dir}
        folder.mkdir(parents=True, exist_ok=True)
        fit_family(family, dataset, **options, **more).save(folder)
    model = cls.load(folder, device)
    sizes = model.params.sizes()
    log = {"S": dataset.n_shoppers, "I": dataset.n_items, "W": dataset.n_weeks}
    if any(sizes.get(letter, size) != size for letter, size in log.items()):
        raise UserError(
            f"{folder}: the user model {family!r} is of another log than {dataset.name} is now; remove it to "
            "fit it anew"
        )
    return model
