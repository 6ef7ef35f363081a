"""The two numbers that `learn-offers` has estimated, as a run takes them."""

from __future__ import annotations

import json
from pathlib import Path

from bundlegym.errors import UserError

#: Digits that are kept: standard errors are far greater.
_DIGITS = 4


def learned_numbers(path: Path) -> tuple[float, float]:
    """`offer_exposure` and `bundle_pull` of a file that `learn-offers --json` wrote.

    Raises:
        UserError: it is no such file, or a number could not be estimated.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        exposure, pull = (
            round(float(content[name]["estimate"]), _DIGITS) for name in ("offer_exposure", "bundle_pull")
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"--offers: {path} holds no estimates of offer_exposure and bundle_pull; give the file that "
            f"learn-offers --json wrote ({error})"
        ) from error
    return exposure, pull
