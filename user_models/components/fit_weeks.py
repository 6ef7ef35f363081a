"""Spans of weeks: which part of the weeks of a fit is for what. Weeks are half-open ranges [first, end)."""

from __future__ import annotations

_PREFERENCE_PART = (
    0.8  # of the weeks of a fit: preferences are counted in them, coefficients fitted on the rest
)
_HEARD_PART = 0.5  # of the weeks: a network hears them, and is asked about the rest


def part_end(weeks: tuple[int, int], part: float) -> int:
    """The week that ends the first `part` of some weeks, which is one week at least."""
    first, end = weeks
    return first + max(1, round(part * (end - first)))


def preference_end(weeks: tuple[int, int]) -> int:
    """The week before which preferences are counted; coefficients are fitted on those from it on."""
    return part_end(weeks, _PREFERENCE_PART)


def heard_end(weeks: tuple[int, int]) -> int:
    """The week before which a network only hears visits; it is asked about those from it on."""
    return weeks[0] + round(_HEARD_PART * (weeks[1] - weeks[0]))


def last_fifth(weeks: tuple[int, int]) -> tuple[int, int]:
    """The last fifth of some weeks, one at least: simulated moments are those of it."""
    first, end = weeks
    return end - max(1, (end - first) // 5), end
