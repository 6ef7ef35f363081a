"""How many households a comparison of two means takes (Cohen 1988, *Statistical Power Analysis for the
Behavioral Sciences*, chapter 2).

The statistic is taken for Student's t about the true gain in standard errors, which is within .002 of the
noncentral t from 128 households on. All tests are two-sided.
"""

from __future__ import annotations

import math

from scipy import optimize, stats


def power(gain: float, sd: float, control: float, offered: float, alpha: float = 0.05) -> float:
    """The chance that a test of level `alpha` finds `gain`, where outcomes of households have the standard
    deviation `sd` and the arms hold so many of them."""
    if sd <= 0:
        return 1.0 if gain else 0.0
    freedom = control + offered - 2
    beyond = stats.t.ppf(1 - alpha / 2, freedom)
    shift = abs(gain) / (sd * math.sqrt(1 / control + 1 / offered))
    return float(stats.t.cdf(shift - beyond, freedom) + stats.t.cdf(-shift - beyond, freedom))


def smallest_gain(
    sd: float, control: int, offered: int, *, target: float = 0.8, alpha: float = 0.05
) -> float:
    """The gain that is found with the chance `target`: the minimum detectable effect."""
    if sd <= 0:
        return 0.0
    unit = sd * math.sqrt(1 / control + 1 / offered)
    size = optimize.brentq(lambda k: power(k * unit, sd, control, offered, alpha) - target, 0.0, 1e3)
    return size * unit


def households_needed(
    gain: float, sd: float, *, share: float = 0.5, target: float = 0.8, alpha: float = 0.05
) -> int | None:
    """Households in both arms together that find `gain` with the chance `target`, where `share` of them are
    offered; None where no number does."""
    if gain == 0 or sd <= 0:
        return None
    normal = stats.norm.ppf(1 - alpha / 2) + stats.norm.ppf(target)
    total = max(8, math.ceil((normal * sd / gain) ** 2 / (share * (1 - share)) * 0.9))
    if total > 10**12:
        return None

    def found(n: int) -> bool:
        return power(gain, sd, n * (1 - share), n * share, alpha) >= target

    least, most = 4, total
    while not found(most):
        least, most = most, 2 * most
    while most - least > 1:
        middle = (least + most) // 2
        least, most = (least, middle) if found(middle) else (middle, most)
    return most
