"""Do the simulated shoppers shop like real ones? A run's `fidelity.json` in plain words, with its plots."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bundlegym.data.sealed import read_sealed_json
from bundlegym.errors import UserError
from bundlegym.evaluation.fidelity.bounds import BOUNDS, failures
from bundlegym.evaluation.fidelity.samples import SAMPLES, read_samples
from bundlegym.evaluation.report import pictures
from bundlegym.evaluation.report.document import Bullets, Paragraph, Part, Picture, Section, Table
from bundlegym.evaluation.report.words import number

#: The plots that the page shows: a title, and what runs to the right.
_PLOTS = {
    "basket_size": ("Items in a basket", "items"),
    "basket_value": ("What a basket costs", "price of the basket"),
    "days_between_visits": ("Days between two visits", "days"),
    "lift_categories": ("Categories bought together", "real, times what chance would give"),
}
_RATES = {
    "visits_per_shopper_week": "Visits of a shopper in a week",
    "lines_per_visit": "Different items a visit",
    "units_per_line": "Pieces of an item",
    "value_per_visit": "Spent a visit",
    "price_per_unit": "Price of a piece",
    "deal_share": "Share of items bought below list price",
    "repeat_share": "Share of items bought before",
}


#: What the measures' names stand for.
_TERMS = {
    "KS-complement of": "likeness (1: alike) of",
    "items_per_product_week": "pieces that an item sells in a week",
    "items_per_customer_week": "pieces that a shopper buys in a week",
    "product_purchase": "how many shoppers buy an item",
    "time_since_purchase": "weeks since a shopper last came",
    "category_purchase": "how many shoppers buy from a category",
    "categories_per_basket": "categories in a basket",
    "store_visit": "how often shoppers come",
    "quantity is": "pieces of an item in a basket is",
    "calibration error": "error of the chance to buy from a category",
    "two-sample AUC of": "how well a machine tells real from simulated by",
    "shopper_weeks": "shoppers' weeks",
    "co-purchase lift": "how often one basket holds two",
    "+-": "±",
    " of the real one": " times the real one",
}


def fidelity_section(folder: Path) -> Section:
    """What was measured when the run began, or why nothing was."""
    name, title = "fidelity", "Are the simulated shoppers like real ones?"
    path = folder / "fidelity.json"
    if not path.exists():
        told = (
            "This run has no measure of it: its shoppers are of your own, or the log is too short. Do not"
            " act "
        )
        return Section(name, title, [Paragraph(told + "on its figures before it was measured.")])
    try:
        content = read_sealed_json(path)
        parts = _parts(content)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path}: damaged ({error}); remove it, and the page goes without") from error
    if (folder / SAMPLES).exists():
        samples = read_samples(folder / SAMPLES)
        parts += [
            Picture(pictures.fidelity(plot, content, samples, heading, across), caption, small=True)
            for plot, (heading, across) in _PLOTS.items()
            if plot in samples and len(samples[plot][0])
            for caption in [
                (
                    "Each point is a pair of categories; on the line, both are alike."
                    if plot.startswith("lift")
                    else "Where the lines lie on each other, simulated shoppers are like real ones."
                )
            ]
        ]
    return Section(name, title, parts)


def _parts(content: dict[str, Any]) -> list[Part]:
    both = content, content["held_out"]
    missed = failures(content)
    first, end = content["weeks"]
    rows = [
        [
            f"{_RATES.get(rate, rate.replace('_', ' '))}: simulated over real",
            *(number(part["base_rates"][rate]["ratio"]) for part in both),
            f"1 ± {BOUNDS.base_rate}",
        ]
        for rate in content["base_rates"]
    ]
    least = [min(v for v in part["ks_complement"].values() if v is not None) for part in both]
    rows.append(
        ["Worst likeness of eight distributions (1: alike)", *map(number, least), f"at least {BOUNDS.ks}"]
    )
    rows.append(
        [
            "Error in how often categories are bought together, worst tenth",
            *(number(part["co_purchase_lift"]["worst_decile"]) for part in both),
            f"at most {BOUNDS.lift:.2f}",
        ]
    )
    rows.append(
        [
            "A machine told to tell real from simulated is right (0.50: it guesses)",
            *(number(part["two_sample_auc"]) for part in both),
            f"at most {BOUNDS.auc:.2f}",
        ]
    )
    rows.append(
        [
            "Price elasticity: sales change in per cent for one per cent of price",
            *(number(part["response"]["simulated"]["elasticity"]) for part in both),
            "real: " + number(content["response"]["real"]["elasticity"]),
        ]
    )
    verdict = (
        "Every measure that has a bound keeps it."
        if not missed
        else f"{len(missed)} measures miss their bounds, so what rests on them may be wrong:"
    )
    parts: list[Part] = [
        Paragraph(
            f"The shoppers of '{content['user_model']}' lived weeks {first + 1} to {end}, which they were not"
            f" fitted to, without offers: {content['shoppers']:,} of whom the model learned, and"
            f" {content['held_out']['shoppers']:,} others (held out). {verdict}"
        )
    ]
    if missed:
        parts.append(Bullets([_in_words(sentence) for sentence in missed]))
    columns = ["Measure", "Learned from", "Held out", "Aim"]
    return [*parts, Table(columns, rows, compact=True)]


def _in_words(failure: str) -> str:
    """A sentence of `bounds.failures` in plain words."""
    for rate, told in _RATES.items():
        failure = failure.replace(f"base rate {rate}", f"'{told[:1].lower()}{told[1:]}'")
    for term, told in _TERMS.items():
        failure = failure.replace(term, told)
    return failure[:1].upper() + failure[1:]
