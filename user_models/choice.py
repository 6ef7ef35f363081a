"""`ChoiceShopper`: a structural model of a shopper, fitted by maximum likelihood on a log.

At a visit, item i has the latent value v = log(rate) + noise with Gumbel noise, and is bought at the shelf
price when v > 0: purchases are thinned Poisson counts, whose shares of a basket are the multinomial that
was fitted. Utility is linear in log price with slope b, so the reservation price is r = price exp(v / b).

The response to an offer is mixed bundling (Adams and Yellen 1976): taking the bundle whole earns
sum(r with the bundle's synergy) - (1 - discount) sum(price); cherry-picking earns sum(max(r - price, 0)).
Items bought then pull or push the rest of the basket: half of the items ("anchors", drawn anew each visit)
are decided first and shift the log rates of the other half by their synergy.

Named assumptions, both knobs of the constructor and neutral by default, since no public log has randomised
offers: `offer_exposure`, the share of the log's own mailer effect that being offered has on an item (1: an
offer is a mailer to one shopper); `bundle_pull`, utility of taking a bundle as such. Neither reaches the
twin, who is offered nothing.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from bundlegym.data import Dataset
from bundlegym.errors import UserError
from bundlegym.recommenders import PersonalFrequency, category_synergy
from bundlegym.recommenders.history import last_bought_by_week
from bundlegym.recommenders.profile import deal_share, own_intervals
from bundlegym.user_models.base import CHERRY_PICK, IGNORE, TAKE, Offer, Response, State, UserModel
from bundlegym.user_models.choice_fit import fit_coefficients, fit_synergy_scale, gap_bins
from bundlegym.user_models.draws import Draws
from bundlegym.user_models.rhythm import QUANTILES, extra_units, visit_pattern

# Streams of the draws: what each is for.
_TRIP, _NOISE, _ANCHOR, _UNITS, _TAIL, _TAIL_ITEM, _GAP, _LEAVE = range(8)
_TAIL_SLOTS = 16  # purchases outside the shortlist are Binomial(16, mean / 16)


class ChoiceShopper(UserModel):
    """See the module's docstring. Build it with `fit` or `load`.

    Attributes:
        tensors: everything fitted or read off the log, by name; see `fit`.
    """

    def __init__(
        self,
        tensors: dict[str, Tensor],
        *,
        offer_exposure: float = 0.0,
        bundle_pull: float = 0.0,
        device: torch.device | str = "cpu",
    ) -> None:
        self.device = torch.device(device)
        self.tensors = {name: value.to(self.device) for name, value in tensors.items()}
        self.offer_exposure, self.bundle_pull = offer_exposure, bundle_pull

    @staticmethod
    def fit(
        dataset: Dataset,
        *,
        shortlist_size: int = 160,
        epochs: int = 6,
        seed: int = 0,
        progress: Callable[[str], None] = print,
        offer_exposure: float = 0.0,
        bundle_pull: float = 0.0,
    ) -> ChoiceShopper:
        """Fit on the training weeks; coefficients and averages only from shoppers who are not held out.

        A held-out shopper's own tastes are counted from that shopper's own training weeks.
        """
        weeks = dataset.split.train_weeks
        coefficients = fit_coefficients(dataset, shortlist_size, epochs=epochs, seed=seed, progress=progress)
        taste = PersonalFrequency.fit(dataset, weeks)
        shortlist = taste.shortlist(shortlist_size)
        synergy = category_synergy(dataset, taste, weeks)
        scale = fit_synergy_scale(dataset, taste, synergy, weeks, seed)
        progress(f"user model: synergy adds up at {scale:.2f} of the pairwise log lifts")
        take = np.take_along_axis
        deal = deal_share(dataset, weeks)
        _, department = np.unique(dataset.items["department"].astype(str), return_inverse=True)
        slope = coefficients["price"].numpy()[department]
        tensors = {
            **{f"coefficient_{name}": value.reshape(-1).clone() for name, value in coefficients.items()},
            "shortlist": torch.from_numpy(shortlist),
            "taste": coefficients["taste"] * torch.from_numpy(take(taste.log_share, shortlist, 1)),
            "interval": torch.from_numpy(take(own_intervals(taste.counts, weeks), shortlist, 1)),
            "last": torch.from_numpy(last_bought_by_week(dataset, shortlist)),
            "price_slope": torch.from_numpy(slope.astype(np.float32)),
            "deal_factor": torch.exp(coefficients["price_deal"] * torch.from_numpy(deal)),
            "category": torch.from_numpy(taste.category),
            "synergy": torch.from_numpy(scale * synergy),
            "shelf_price": torch.from_numpy(dataset.shelf_price.T.copy()),
            "rebate": torch.from_numpy(np.log(dataset.list_price / dataset.shelf_price).T.copy()),
            "display": torch.from_numpy(dataset.display.T.copy()),
            "mailer": torch.from_numpy(dataset.mailer.T.copy()),
            "popularity_cdf": torch.from_numpy(np.cumsum(taste.popularity, dtype=np.float64)).float(),
            "extra_units": torch.from_numpy(extra_units(dataset)),
            **{name: torch.from_numpy(value) for name, value in visit_pattern(dataset).items()},
        }
        model = ChoiceShopper(tensors, offer_exposure=offer_exposure, bundle_pull=bundle_pull)
        model._set_level(dataset, torch.from_numpy(taste.log_share))
        return model

    def reset(self, shopper: Tensor, day: Tensor) -> State:
        week = (day // 7).clamp(0, len(self.tensors["last"]) - 1)
        last = self.tensors["last"][week, shopper].long()
        return {"shopper": shopper, "day": day, "last": last}

    def respond(self, state: State, offer: Offer, draws: Draws) -> tuple[Response, State]:
        t, shopper = self.tensors, state["shopper"]
        items = t["shortlist"][shopper]  # (N, L)
        week = (state["day"] // 7).clamp(0, len(t["shelf_price"]) - 1)
        price = t["shelf_price"][week[:, None], items]
        slope = t["price_slope"][items] * t["deal_factor"][shopper, None]
        trip = t["trip_sigma"] * torch.erfinv(2 * draws.uniform(_TRIP) - 1) * 2**0.5
        trip = t["level"][shopper] + trip - t["trip_sigma"].square() / 2
        rate = self._utility(state, items, week, slope) + trip[:, None]
        value = rate + draws.gumbel(_NOISE, items)

        # The offer comes first. offered: (N, B, L), which slot each offered item sits in.
        offered = (offer.items[:, :, None] == items[:, None, :]) & (offer.items >= 0)[:, :, None]
        in_offer = offered.any(1)
        exposure = self.offer_exposure * t["coefficient_mailer"] * in_offer
        value = value + exposure
        whole = self._takes_whole(value, price, slope, offered, offer.discount, items)
        taken = in_offer & whole[:, None]

        # Then the rest of the basket: anchors first, the others given what the anchors and the bundle are.
        anchor = draws.uniform(_ANCHOR, items) < 0.5
        first = taken | (anchor & (value > 0))
        category = t["category"][items]
        held = torch.zeros(len(items), len(t["synergy"]), device=self.device)
        held.scatter_add_(1, category, first.float())
        pull = (held @ t["synergy"]).gather(1, category)
        bought = first | (~anchor & (value + pull > 0))

        discount = offer.discount[:, None] * taken
        response = self._response(state, offer, draws, items, bought, taken, price, discount, whole, in_offer)
        last = torch.where(bought, state["day"][:, None], state["last"])
        return response, {"shopper": shopper, "day": state["day"] + response.days, "last": last}

    def _utility(self, state: State, items: Tensor, week: Tensor, slope: Tensor) -> Tensor:
        """(N, L) taste, time since last bought, price against list, display and mailer."""
        t, w = self.tensors, week[:, None]
        bins = gap_bins(state["day"], state["last"], t["interval"][state["shopper"]])
        utility = t["taste"][state["shopper"]] + t["coefficient_gap"][bins] + slope * t["rebate"][w, items]
        return (
            utility
            + t["coefficient_display"] * t["display"][w, items]
            + t["coefficient_mailer"] * t["mailer"][w, items]
        )

    def _takes_whole(
        self,
        value: Tensor,
        price: Tensor,
        slope: Tensor,
        offered: Tensor,
        discount: Tensor,
        items: Tensor,
    ) -> Tensor:
        """(N,) bool: the bundle is not empty and beats both cherry-picking and ignoring it."""
        here = offered.any(2).float()  # (N, B) the bundle's items that the shopper knows
        slot = offered.float().argmax(2)
        v, p, b = value.gather(1, slot), price.gather(1, slot), slope.gather(1, slot)
        category = self.tensors["category"][items.gather(1, slot)]
        pairs = self.tensors["synergy"][category[:, :, None], category[:, None, :]]
        pairs = pairs * (1 - torch.eye(here.shape[1], device=self.device))

        def worth(chosen: Tensor) -> Tensor:
            """Reservation prices of the chosen items, each with its synergy to the other chosen ones."""
            return chosen * p * torch.exp((v + (pairs * chosen[:, :, None]).sum(1)).clamp(max=20.0 * b) / b)

        picked = here * (v > 0)
        cherry = (worth(picked) - picked * p).sum(1)
        pull = self.bundle_pull * (here * p / b).sum(1) / here.sum(1).clamp(min=1)
        whole = worth(here).sum(1) - (1 - discount) * (here * p).sum(1) + pull
        return (here.sum(1) > 0) & (whole >= cherry.clamp(min=0.0))

    def _response(
        self,
        state: State,
        offer: Offer,
        draws: Draws,
        items: Tensor,
        bought: Tensor,
        taken: Tensor,
        price: Tensor,
        discount: Tensor,
        whole: Tensor,
        in_offer: Tensor,
    ) -> Response:
        t, shopper = self.tensors, state["shopper"]
        row, slot = bought.nonzero(as_tuple=True)
        item = items[row, slot]
        extra = t["extra_units"][item]
        luck = draws.uniform(_UNITS, items)[row, slot]
        units = 1 + torch.floor(torch.log(luck) / torch.log(extra / (1 + extra)))
        # One unit of each item is in the bundle; further units go at the shelf price.
        paid = price[row, slot] * (1 - discount[row, slot] / units)

        tail = torch.arange(_TAIL_SLOTS, device=self.device)
        mean = t["tail_mean"][shopper, None]
        tail_row, tail_slot = (draws.uniform(_TAIL, tail) < mean / _TAIL_SLOTS).nonzero(as_tuple=True)
        tail_luck = draws.uniform(_TAIL_ITEM, tail)[tail_row, tail_slot]
        tail_item = torch.searchsorted(t["popularity_cdf"], tail_luck).clamp(max=len(t["category"]) - 1)
        week = (state["day"] // 7).clamp(0, len(t["shelf_price"]) - 1)
        picked = (bought & in_offer & ~taken).any(1)
        choice = torch.where(whole, TAKE, torch.where(picked, CHERRY_PICK, IGNORE))

        place = draws.uniform(_GAP) * (QUANTILES - 1)
        low = place.long()
        gaps = t["visit_gap"][shopper]
        gap = torch.lerp(
            gaps.gather(1, low[:, None])[:, 0], gaps.gather(1, low[:, None] + 1)[:, 0], place - low
        )
        return Response(
            choice=choice,
            row=torch.cat([row, tail_row]),
            item=torch.cat([item, tail_item]),
            quantity=torch.cat([units.long(), torch.ones_like(tail_row)]),
            price=torch.cat([paid, t["shelf_price"][week[tail_row], tail_item]]),
            days=gap.round().long().clamp(min=1),
            left=draws.uniform(_LEAVE) < t["leave_rate"],
        )

    def _set_level(self, dataset: Dataset, log_share: Tensor) -> None:
        """`level` (n_shoppers,): log lines a visit less the log of the mean sum of exp(utility).

        The mean is over three training weeks, with each shopper's real history; so a promotion raises the
        basket instead of only shifting it. `tail_mean` is the part of the lines outside the shortlist.
        """
        t = self.tensors
        first, end = dataset.split.train_weeks
        everyone = torch.arange(dataset.n_shoppers)
        slope = t["price_slope"][t["shortlist"]] * t["deal_factor"][:, None]
        total = torch.zeros(dataset.n_shoppers)
        for share in (0.5, 0.7, 0.9):
            week = torch.full_like(everyone, int(first + share * (end - first)))
            state = self.reset(everyone, week * 7)
            total += self._utility(state, t["shortlist"], week, slope).exp().sum(1) / 3
        scaled = (t["coefficient_taste"] * log_share).exp()
        tail = (scaled.sum(1) - scaled.gather(1, t["shortlist"]).sum(1)).clamp(min=0)
        mean_size = t["mean_size"]
        t["level"] = torch.log(mean_size / (total + tail))
        t["tail_mean"] = mean_size * tail / (total + tail)

    def save(self, folder: Path) -> None:
        """Write `choice.safetensors` and `choice.json` into an existing folder, each renamed into place."""
        tensors = {name: value.cpu().contiguous() for name, value in self.tensors.items()}
        settings = {"offer_exposure": self.offer_exposure, "bundle_pull": self.bundle_pull}
        save_file(tensors, str(folder / "choice.safetensors.part"))
        (folder / "choice.json.part").write_text(json.dumps(settings, indent=2) + "\n")
        for name in ("choice.safetensors", "choice.json"):
            os.replace(folder / f"{name}.part", folder / name)

    @staticmethod
    def load(folder: Path, device: torch.device | str = "cpu") -> ChoiceShopper:
        """Read what `save` wrote.

        Raises:
            UserError: a file is missing or unreadable.
        """
        try:
            settings = json.loads((folder / "choice.json").read_text())
            return ChoiceShopper(load_file(str(folder / "choice.safetensors")), **settings, device=device)
        except Exception as error:
            raise UserError(
                f"{folder}: no readable ChoiceShopper (choice.json, choice.safetensors): {error}"
            ) from error
