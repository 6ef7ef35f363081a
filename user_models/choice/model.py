"""`ChoiceShopper`: a structural model of a shopper, fitted by maximum likelihood on a log.

At a visit, item i has the latent value v = log(rate) + noise with Gumbel noise, and is bought at the shelf
price when v > 0: purchases are thinned Poisson counts, whose shares of a basket are the multinomial that was
fitted. The rate is the trip's size times exp(utility): preference, time since last bought, price, display,
mailer, and the trip's mission. Whoever came buys something: if nothing clears the bar, what came nearest to
it.

The response to an offer is mixed bundling (`bundling`), decided beside what is bought without the offer
(`offers`). What an offer adds to the basket then shifts the log rates of everything else by its synergy.
Items outside the shortlist come from a process of their own (`long_tail`). A purchase satiates its
subcategory (`substitution`).

What no log tells of offers are named `assumptions`, neutral by default. An item first tried in a bundle taken
whole leaves a habit with the chance that repeats after a first purchase are its effect, and not that of the
liking that led to it (`state_dependence`), shrunk toward none by its standard error (`numeric.shrink`).

A visit is computed by `compiled` on a CPU, else by `reference`, which says the same in torch; a test holds
them together.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from bundlegym.data import Dataset
from bundlegym.recommenders.recency import last_bought_at_visits
from bundlegym.terminal import say
from bundlegym.threads import one_thread
from bundlegym.user_models.base import Appraisal, Offer, Response, State, UserModel
from bundlegym.user_models.choice.assumptions import Assumptions
from bundlegym.user_models.choice.bounds import FIRST_GAP
from bundlegym.user_models.choice.compiled import log_history
from bundlegym.user_models.choice.compiled import offers as compiled_offers
from bundlegym.user_models.choice.compiled import visit as compiled
from bundlegym.user_models.choice.compiled.layout import Structs
from bundlegym.user_models.choice.config import ChoiceConfig
from bundlegym.user_models.choice.estimation.mechanisms import MECHANISMS, check_mechanisms
from bundlegym.user_models.choice.estimation.pipeline import fit_parameters
from bundlegym.user_models.choice.estimation.trial_tables import trials_at_visits
from bundlegym.user_models.choice.estimation.warm_start import earlier_stages
from bundlegym.user_models.choice.parameters import ChoiceParameters
from bundlegym.user_models.choice.reference import log_history as reference_history
from bundlegym.user_models.choice.reference import offers as reference_offers
from bundlegym.user_models.choice.reference import visit as reference
from bundlegym.user_models.choice.reference.exposure import no_offers
from bundlegym.user_models.choice.reference.utility import log_share, subcategory_shares, week_of
from bundlegym.user_models.choice.state import ChoiceState
from bundlegym.user_models.components.basket_size import classes_before
from bundlegym.user_models.components.incidence import first_visit
from bundlegym.user_models.components.needs import by_needs
from bundlegym.user_models.fit_cache import FitCache, fit_folder
from bundlegym.user_models.persistence import load_parameters, save_parameters
from bundlegym.user_models.rng.counter import Draws


class ChoiceShopper(UserModel):
    """See the module's docstring. Build it with `fit` or `load`.

    Attributes:
        params: everything fitted or read off the log.
        assumed: what is assumed of offers.
    """

    def __init__(
        self,
        params: ChoiceParameters,
        *,
        offer_exposure: float = 0.0,
        bundle_pull: float = 0.0,
        device: torch.device | str = "cpu",
    ) -> None:
        self.device = torch.device(device)
        self.params = params.to(self.device)
        self.assumed = Assumptions(offer_exposure, bundle_pull)
        self._structs = Structs(self.params)

    @staticmethod
    @one_thread()
    def fit(
        dataset: Dataset,
        *,
        weeks: tuple[int, int] | None = None,
        shoppers: np.ndarray | None = None,
        shortlist_size: int | None = None,
        epochs: int | None = None,
        seed: int = 0,
        progress: Callable[[str], None] = say,
        offer_exposure: float = 0.0,
        bundle_pull: float = 0.0,
        cache: Path | None = None,
        device: torch.device | str = "cpu",
        without: Collection[str] = (),
        config: ChoiceConfig = ChoiceConfig(),
        start: ChoiceShopper | None = None,
    ) -> ChoiceShopper:
        """Fit on `weeks` (by default the training weeks). Coefficients and averages come from `shoppers`
        (mask (n_shoppers,), by default those who are not held out); anybody's own preferences, visits and
        basket sizes are counted from their own purchases in `weeks`. What is fitted is kept below the folder
        `cache`, stage by stage, and not fitted again for the same log, settings and code; without a folder
        nothing is kept. The fit itself is done on the CPU; the model is moved to `device`. Mechanisms
        named in `without` (`estimation.mechanisms`) are left out. `config` holds all hyper-parameters;
        `shortlist_size` and `epochs`, where they are given, stand in place of its own.

        With `start`, fitted on an earlier state of this log, whose items come first in `dataset`, all that
        takes long is kept from it, and all that is counted is counted anew (`estimation.warm_start`);
        nothing is kept below `cache` then.

        Raises:
            UserError: the log holds too little for a fit, the fit ends in numbers that are not finite, or
                there is no mechanism of a name, or a hyper-parameter is out of its range.
        """
        check_mechanisms(without)
        weeks = weeks or dataset.split.train_weeks
        shoppers = ~dataset.split.held_out if shoppers is None else shoppers
        given = {"shortlist_size": shortlist_size, "epochs": epochs}
        changed: dict[str, Any] = {name: n for name, n in given.items() if n is not None}
        config = dataclasses.replace(config, **changed)
        if "needs" not in without:
            dataset = by_needs(dataset, weeks, shoppers, progress, config.needs)
        left_out = sorted(without)
        settings = {"config": dataclasses.asdict(config), "seed": seed, "without": left_out}
        folder = cache and fit_folder(cache, dataset, weeks=weeks, shoppers=shoppers, **settings)
        offers_only = [name for name in without if MECHANISMS[name].offers_only]
        fit_cache = FitCache(folder, progress, skip=offers_only)
        if start is not None:
            known = start.params.to(torch.device("cpu"))
            earlier = earlier_stages(known, dataset, weeks, shoppers, config)
            fit_cache = FitCache(None, progress, offers_only, *earlier)
        params = fit_parameters(
            ChoiceShopper,
            dataset,
            weeks,
            shoppers,
            cache=fit_cache,
            config=config,
            seed=seed,
            without=left_out,
        )
        return ChoiceShopper(params, offer_exposure=offer_exposure, bundle_pull=bundle_pull, device=device)

    @property
    def offer_is_only_discount(self) -> bool:
        return self.assumed.neutral

    def under(self, *, offer_exposure: float, bundle_pull: float) -> ChoiceShopper:
        """The same shoppers under other assumptions about offers."""
        same = copy.copy(self)
        same.assumed = Assumptions(offer_exposure, bundle_pull)
        return same

    def with_parameters(self, params: ChoiceParameters) -> ChoiceShopper:
        """The same shoppers, under the same assumptions, with other parameters."""
        return type(self)(params, **vars(self.assumed), device=self.device)

    # --- the door -----------------------------------------------------------------------------------------

    def arrive(self, shopper: Tensor, day: Tensor, draws: Draws) -> Tensor:
        classes = self.params.basket_size.last_size_class
        return first_visit(self.params.incidence, classes, shopper, day, draws)

    def reset(self, shopper: Tensor, day: Tensor) -> State:
        before_week = self._before_week if self.device.type == "cpu" else self._before_week_reference
        shown = no_offers(len(shopper), self.assumed.offer_exposure != 0, self.device)
        return ChoiceState._make([shopper, day, *before_week(shopper, day), *shown]).named()

    def _before_week(self, shopper: Tensor, day: Tensor) -> tuple[Tensor, ...]:
        found = log_history.before_week(self._structs.history, _in_one_piece(shopper), _in_one_piece(day))
        return tuple(map(torch.from_numpy, found))

    def _before_week_reference(self, shopper: Tensor, day: Tensor) -> tuple[Tensor, ...]:
        return reference_history.before_week(self.params, shopper, day)

    def at_visits(self, dataset: Dataset, rows: np.ndarray) -> State:
        p, visits = self.params, dataset.visits
        shopper, day = (visits[name].to_numpy()[rows].astype(np.int64) for name in ("shopper", "day"))
        gap = visits.groupby("shopper")["day"].diff().fillna(FIRST_GAP).to_numpy()[rows].astype(np.int64)
        shortlist = p.shortlists.shortlist.cpu().numpy()
        last = last_bought_at_visits(dataset, shortlist, rows).astype(np.int16)
        trials = trials_at_visits(dataset, shortlist, rows, int(p.trials.first_trial_week))
        size = classes_before(dataset, p.basket_size.usual_log_size.cpu().numpy())[rows]
        history = (shopper, day, gap, size, last, trials)
        known = [torch.as_tensor(array, device=self.device) for array in history]
        shown = no_offers(len(rows), self.assumed.offer_exposure != 0, self.device)
        return ChoiceState._make([*known, *shown]).named()

    def log_share(self, state: State) -> Tensor:
        return log_share(self.params, ChoiceState(**state))

    def subcategory_shares(self, state: State) -> Tensor:
        """(N, G) shares of subcategories in the lines of a visit, of visits in one week; see `log_share`."""
        return subcategory_shares(self.params, ChoiceState(**state))

    # --- a visit ------------------------------------------------------------------------------------------

    def respond(self, state: State, offer: Offer, draws: Draws) -> tuple[Response, State]:
        respond = self._compiled if self.device.type == "cpu" else self._reference
        return respond(state, offer, draws)

    def appraise(self, state: State, items: Tensor, draws: Draws) -> Appraisal:
        appraise = self._appraise_compiled if self.device.type == "cpu" else self._appraise_reference
        wanted, quantity, value, exposure = appraise(state, items, draws)
        if self.device.type == "cpu":
            pair = torch.from_numpy(
                compiled_offers.pairs(self._structs.tables, _in_one_piece(items), value.numpy())
            )
        else:
            pair = reference_offers.pairs(self.params, items, value)
        p = self.params
        _, slope = reference.price_and_slope(p, state["shopper"], week_of(p, state["day"]), items)
        return Appraisal(wanted, quantity, value, slope, exposure, pair)

    def _reference(self, state: State, offer: Offer, draws: Draws) -> tuple[Response, State]:
        response, after = reference.respond(self.params, self.assumed, ChoiceState(**state), offer, draws)
        return response, after.named()

    def _appraise_reference(self, state: State, items: Tensor, draws: Draws) -> tuple[Tensor, ...]:
        return reference.appraise(self.params, self.assumed, ChoiceState(**state), items, draws)

    def _compiled(self, state: State, offer: Offer, draws: Draws) -> tuple[Response, State]:
        answer, after, _ = self._visit(ChoiceState(**state), offer, draws, only_appraise=False)
        after = ChoiceState(state["shopper"], *map(torch.from_numpy, after))
        return Response.of_arrays(*answer), after.named()

    def _appraise_compiled(self, state: State, items: Tensor, draws: Draws) -> tuple[Tensor, ...]:
        offer = Offer(items, torch.zeros(len(items)))
        *_, found = self._visit(ChoiceState(**state), offer, draws, only_appraise=True)
        return tuple(map(torch.from_numpy, found))

    def _visit(self, state: ChoiceState, offer: Offer, draws: Draws, *, only_appraise: bool) -> Any:
        exposure = self.assumed.offer_exposure
        return compiled.respond(
            self._structs.tables,
            draws.seed,
            (draws.episode.numpy(), draws.visit.numpy()),
            tuple([_in_one_piece(value) for value in state]),
            (_in_one_piece(offer.items), _in_one_piece(offer.discount)),
            np.float32(exposure and exposure * float(self.params.coefficients.mailer)),
            np.float32(self.assumed.bundle_pull),
            only_appraise,
        )

    # --- files --------------------------------------------------------------------------------------------

    def save(self, folder: Path) -> None:
        """Write `choice.safetensors` and `choice.json` into an existing folder."""
        save_parameters(folder, "choice", self.params, vars(self.assumed))

    @staticmethod
    def load(folder: Path, device: torch.device | str = "cpu") -> ChoiceShopper:
        """Read what `save` wrote.

        Raises:
            UserError: a file is missing or unreadable, or an earlier version wrote it.
        """
        params, assumed = load_parameters(folder, "choice", ChoiceParameters)
        return ChoiceShopper(params, **assumed, device=device)


def _in_one_piece(tensor: Tensor) -> np.ndarray:
    """It as an array; part of a wider table is copied: to compile for that would take half a minute."""
    return np.ascontiguousarray(tensor.numpy())
