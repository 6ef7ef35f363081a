"""Estimates drawn toward their neutral value by their standard errors, instead of being cut to it.

An estimate b with standard error s of a number whose prior is normal about m with standard deviation t has
the posterior mean (Efron and Morris 1975, *Journal of the American Statistical Association* 70)

    m + (b - m) t^2 / (t^2 + s^2).

Where s is far below t the estimate stands nearly as it is; where s is far above t it is m; there is no step
between. A cut at two standard errors has one: what lies just below counts for nothing, and what lies just
above counts whole, the more by luck the larger s is.

m is no effect. t is an assumption, made before looking at any log: about how far a shop's true number may be
from no effect. It is the field `spread` of the estimate's configuration. By default:

| estimate | unit | m | t | why |
|---|---|---|---|---|
| synergy share | share of a log lift after taste, 0 to 0.5 | 0 | 0.25 | half of the range |
| habit share | share of what follows a first purchase, 0 to 1 | 0 | 0.5 | half of the range |
| wear-out factor | of the effect of a mailer's first week, mostly 0 to 1 | 1 | 0.5 | half of the range |
| coupon effect | log rate | 0 | 0.25 | a mailer's effect on the same item, about 0.2 to 0.3 |
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike


def shrink(estimate: ArrayLike, standard_error: ArrayLike, spread: float, neutral: float = 0.0) -> np.ndarray:
    """Posterior means, float64, of the shape of both arguments.

    Args:
        estimate: b; NaN where nothing is known.
        standard_error: s; infinite where nothing is known.
        spread: t.
        neutral: m, which is also the answer where nothing is known.
    """
    b, s = np.asarray(estimate, dtype=np.float64), np.asarray(standard_error, dtype=np.float64)
    weight = spread**2 / (spread**2 + s**2)
    known = np.isfinite(b) & (weight > 0)
    return neutral + np.where(known, weight * (np.where(known, b, neutral) - neutral), 0.0)
