"""What a log must hold for a user model to be fitted, and what no model can learn from it: told before a fit.

A fit takes long, and what is missing is known before it begins. Where too little is there,
`check_requirements` says so in one sentence. Where a part of shoppers' behaviour never shows in the log,
`cannot_learn` names the part and what stands in its place.
"""

from __future__ import annotations

import numpy as np

from bundlegym.data import Dataset, lines_of, visit_rows
from bundlegym.errors import UserError
from bundlegym.user_models.components.fit_weeks import heard_end, last_fifth, preference_end

#: Visits that the weeks which explain coefficients, or the network, must hold.
LEAST_VISITS = 50
_MOVE = 0.01  # of a log price, that a price moves at all


def lacking(family: str, dataset: Dataset, weeks: tuple[int, int], shoppers: np.ndarray) -> str:
    """One sentence that says what a family (a name in `registry.FAMILIES`) lacks to be fitted on the visits
    of `shoppers` (mask) in `weeks`; empty where nothing is missing."""
    if family == "replay":
        return ""
    which, start = (
        ("second half", heard_end(weeks)) if family == "sequence" else ("last fifth", preference_end(weeks))
    )
    visits = len(visit_rows(dataset, (start, weeks[1]), shoppers))
    if visits < LEAST_VISITS:
        return (
            f"{dataset.name}: the {which} of the {weeks[1] - weeks[0]} weeks to fit on holds {visits} visits "
            f"of {int(shoppers.sum())} shoppers; the user model {family!r} needs at least {LEAST_VISITS}: "
            "a longer or denser log"
        )
    late = last_fifth(weeks)
    if family != "lookalike" and len(visit_rows(dataset, late, shoppers)) == 0:
        return (
            f"{dataset.name}: the shoppers to fit on have no visit in weeks {late[0]}-{late[1] - 1}, by "
            "which the number of visits is set; leave out weeks in which the shop was closed"
        )
    if family == "lookalike" and not _comes_again(dataset, weeks, shoppers):
        return (
            f"{dataset.name}: no shopper to fit on comes twice in weeks {weeks[0]}-{weeks[1] - 1}; the user "
            "model 'lookalike' draws days between visits from the log and cannot be fitted"
        )
    return ""


def check_requirements(family: str, dataset: Dataset, weeks: tuple[int, int], shoppers: np.ndarray) -> None:
    """Raise the sentence of `lacking` as a `UserError`, where there is one."""
    if sentence := lacking(family, dataset, weeks, shoppers):
        raise UserError(sentence)


def cannot_learn(dataset: Dataset, weeks: tuple[int, int], shoppers: np.ndarray) -> list[str]:
    """Sentences about what the visits of `shoppers` (mask) in `weeks` tell nothing of."""
    rows = visit_rows(dataset, weeks, shoppers)
    lines, place = lines_of(dataset, rows)
    span = slice(*weeks)
    told = []
    if not _comes_again(dataset, weeks, shoppers):
        told.append(
            "no shopper comes twice, so when shoppers come again is not known; simulated ones hardly ever do"
        )
    shopper = dataset.visits["shopper"].to_numpy(np.int64)[rows][place]
    pair = shopper * dataset.n_items + dataset.purchases["item"].to_numpy(np.int64)[lines]
    if not _repeats(pair):
        told.append("no shopper buys an item twice, so habits are not known; simulated shoppers have none")
    off = np.log(dataset.shelf_price[:, span]) - np.log(dataset.list_price[:, span])
    if np.ptp(off, axis=1).max(initial=0.0) < _MOVE:
        told.append(
            "no price moves against the list price, so the answer to prices is not known; an assumption "
            "stands in its place, as strong as a fit begins with (--fidelity shows the elasticity)"
        )
    if not (dataset.display[:, span].any() or dataset.mailer[:, span].any()):
        told.append("no item is displayed or mailed, so what that does is not known; it does nothing")
    sizes = np.bincount(place, minlength=len(rows))
    if sizes.max(initial=0) < 2:
        told.append("no visit holds two items, so which items go together is not known; none do")
    return [f"{dataset.name}: {sentence}" for sentence in told]


def _repeats(codes: np.ndarray) -> bool:
    """Whether a code stands there twice, as it does among the first of most logs."""
    seen: set[int] = set()
    for code in map(int, codes):
        if code in seen:
            return True
        seen.add(code)
    return False


def _comes_again(dataset: Dataset, weeks: tuple[int, int], shoppers: np.ndarray) -> bool:
    shopper = dataset.visits["shopper"].to_numpy()[visit_rows(dataset, weeks, shoppers)]
    return bool((np.diff(shopper) == 0).any())
