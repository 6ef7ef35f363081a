"""The difference between two arms of households, plain and adjusted for the weeks before.

*Plain*: the difference of means with Welch's standard error, which lets the arms differ in variance.

*Adjusted* (CUPED: Deng, Xu, Kohavi and Walker 2013, "Improving the Sensitivity of Online Controlled
Experiments by Utilizing Pre-Experiment Data", WSDM): y - theta (x - mean x) in place of y, where x is the
same measure of the weeks before and theta the slope of y in x within arms. Since nobody was offered anything
then, x has the same mean in both arms, and what it explains of y is only taken out of the noise: the variance
falls by the factor 1 - correlation^2.

Nothing is trimmed or capped. Margins of households have heavy tails; the mean of an arm is near normal once
it holds about 355 x skewness^2 households (Kohavi, Deng, Longbotham and Xu 2014, "Seven Rules of Thumb for
Web Site Experimenters", KDD), and the A/A check of a plan tells whether a log's own weeks keep the error
rate.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import stats


@dataclass(frozen=True)
class Difference:
    """Offered less control, (...) each: one number an experiment.

    Attributes:
        gain: difference of means.
        error: its standard error.
        freedom: degrees of freedom (Welch and Satterthwaite).
    """

    gain: np.ndarray
    error: np.ndarray
    freedom: np.ndarray

    def interval(self, alpha: float = 0.05) -> tuple[np.ndarray, np.ndarray]:
        """Ends of the 1 - alpha interval by Student's t."""
        half = stats.t.ppf(1 - alpha / 2, self.freedom) * self.error
        return self.gain - half, self.gain + half

    def p_value(self) -> np.ndarray:
        """Two-sided."""
        with np.errstate(divide="ignore", invalid="ignore"):
            size = np.abs(self.gain) / self.error
        return np.where(self.error > 0, 2 * stats.t.sf(size, self.freedom), 1.0)


def difference(y: np.ndarray, offered: np.ndarray, before: np.ndarray | None = None) -> Difference:
    """The difference between arms, over the last axis.

    Args:
        y: (..., N) outcome of each household.
        offered: (..., N) bool, in the arm that gets offers; each arm holds at least two.
        before: (..., N) outcome of the weeks before, to adjust for.
    """
    arms = np.stack(np.broadcast_arrays(offered, ~offered)).astype(np.float64)
    n = arms.sum(-1)
    y = np.broadcast_to(y, arms.shape[1:])
    if before is not None:
        x = before - before.mean(-1, keepdims=True)
        within_x, within_y = _within(x, arms, n), _within(y, arms, n)
        spread = (within_x**2).sum(-1)
        shared = (within_x * within_y).sum(-1)
        theta = np.divide(shared, spread, out=np.zeros_like(shared), where=spread > 0)
        y = y - theta[..., None] * x
    mean = (arms * y).sum(-1) / n
    of_mean = (arms * (y - mean[..., None]) ** 2).sum(-1) / (n - 1) / n
    variance = of_mean.sum(0)
    with np.errstate(divide="ignore", invalid="ignore"):
        freedom = variance**2 / (of_mean**2 / (n - 1)).sum(0)
    return Difference(mean[0] - mean[1], np.sqrt(variance), np.where(variance > 0, freedom, 1.0))


def _within(values: np.ndarray, arms: np.ndarray, n: np.ndarray) -> np.ndarray:
    """(..., N) values less the mean of their own arm."""
    mean = (arms * values).sum(-1) / n
    return values - (arms * mean[..., None]).sum(0)


def random_arms(rng: np.random.Generator, households: int, offered: int, times: int) -> np.ndarray:
    """(times, households) bool: simple random assignments, each with exactly so many `offered`."""
    order = rng.permuted(np.tile(np.arange(households), (times, 1)), axis=1)
    return order < offered


def rejections(
    y: np.ndarray, before: np.ndarray, offered: int, alpha: float, times: int, seed: int
) -> dict[str, float]:
    """How often a test of level `alpha` finds a difference between arms that differ in nothing (A/A): the
    share of `times` random assignments of the same households (N,), plain and adjusted."""
    rng, batch = np.random.default_rng(seed), max(1, 2_000_000 // len(y))
    found = {"plain": 0, "adjusted": 0}
    for first in range(0, times, batch):
        arms = random_arms(rng, len(y), offered, min(batch, times - first))
        found["plain"] += int((difference(y, arms).p_value() < alpha).sum())
        found["adjusted"] += int((difference(y, arms, before).p_value() < alpha).sum())
    return {name: count / times for name, count in found.items()}
