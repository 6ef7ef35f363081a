"""Why an offer is taken or not: what each item is worth to the shopper at this visit, step by step.

An item that would be bought anyway pays for itself. Any other lacks some utility, and would be bought at a
lower price: the one at which the price response makes up for what is lacking (`user_models.bundling`). Being
offered, and the other items of the bundle, may raise that price. A bundle is taken whole where the discount
saves at least what its items are short of their shelf prices.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from bundlegym.user_models.base import Appraisal
from bundlegym.user_models.bundling import shortfall

_CENT = 0.005


def explained(appraisal: Appraisal, price: Tensor, discount: float) -> dict[str, Any]:
    """In JSON's own types, of one visit (row 0 of the appraisal) and a bundle of all of its items.

    Args:
        price: (M,) at the shelf.

    Returns:
        `items`: of each whether it is bought `anyway` without an offer, or by being `shown` alone, and what
        the shopper `would_pay` for it without an offer, when `offered`, and `together` with the others, None
        where it is bought anyway; `short`, money that it lacks then. `saved`, `short`: of the whole bundle.
        `words`: whether it pays to take it.
    """
    wanted, slope, exposure, value = (
        getattr(appraisal, name)[0] for name in ("wanted", "slope", "exposure", "value")
    )
    shown = ~wanted & (exposure > 0) & (value + exposure >= 0)
    missing = ~(wanted | shown)
    alone = (value + exposure).clamp(max=0)
    beside = (alone + (appraisal.pair[0] * missing).sum(1)).clamp(max=0)
    steps = {
        "would_pay": price - shortfall(value, price, slope),
        "offered": price - shortfall(alone, price, slope),
        "together": price - shortfall(torch.where(missing, beside, alone), price, slope),
    }
    short = shortfall(beside, price, slope) * missing
    items = [
        {
            "anyway": bool(wanted[i]),
            "shown": bool(shown[i]),
            "price": float(price[i]),
            "short": float(short[i]),
            **{name: None if wanted[i] else float(step[i]) for name, step in steps.items()},
        }
        for i in range(len(price))
    ]
    saved, lacking = float(discount * price.sum()), float(short.sum())
    words = _words(bool(missing.any()), saved, lacking)
    return {"items": items, "saved": saved, "short": lacking, "words": words}


def _words(missing: bool, saved: float, short: float) -> str:
    if not missing:
        return f"All of it is bought anyway, so the bundle is taken whole and saves the shopper {saved:.2f}."
    told = f"The discount saves the shopper {saved:.2f}; items are short of their shelf prices by {short:.2f}"
    if saved and abs(saved - short) < _CENT:
        return f"{told}, which is nearly the same."
    if saved and saved >= short:
        return f"{told}, which is less: it pays to take the bundle whole."
    return f"{told}: {'at full price ' if not saved else ''}the bundle as such gives no reason to buy."
