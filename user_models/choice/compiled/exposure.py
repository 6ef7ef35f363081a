"""See `reference.exposure`."""

from __future__ import annotations

from bundlegym.user_models.choice.compiled.layout import Tables
from bundlegym.user_models.choice.compiled.parts import Array, holds, part
from bundlegym.user_models.components.wear_out import RUN_WEEKS


@part
def weeks_in_a_row(week: int, offered: Array, memory: tuple[Array, Array, Array], run: Array) -> None:
    """Fill in how many weeks in a row each offered item is offered."""
    shown, shown_week, shown_run = memory
    for b in range(len(offered)):
        run[b] = 1
        for j in range(len(shown)):
            if offered[b] >= 0 and shown[j] == offered[b] and week - shown_week[j] <= 1:
                run[b] = min(shown_run[j] + (week != shown_week[j]), RUN_WEEKS)


@part
def exposure_effect(p: Tables, exposure: float, run: Array, sensitivity: Array, effect: Array) -> None:
    """Fill what being offered adds to the utility of each item, whose `sensitivity` is 0 where there is
    none."""
    for b in range(len(run)):
        effect[b] = exposure * p.wear_out[run[b] - 1] * sensitivity[b]


@part
def remember(
    week: int,
    offered: Array,
    run: Array,
    before: tuple[Array, Array, Array],
    after: tuple[Array, Array, Array],
) -> None:
    """Fill the memory of what was offered, (SHOWN,) items, weeks and runs, `after` that `before`."""
    (shown, shown_week, shown_run), (to_shown, to_week, to_run) = before, after
    n, room = 0, len(to_shown)
    for b in range(len(offered)):
        if offered[b] >= 0 and n < room:
            to_shown[n], to_week[n], to_run[n] = offered[b], week, run[b]
            n += 1
    for j in range(len(shown)):
        old = shown[j] < 0 or week - shown_week[j] > 1 or holds(offered, len(offered), shown[j])
        if not old and n < room:
            to_shown[n], to_week[n], to_run[n] = shown[j], shown_week[j], shown_run[j]
            n += 1
    for j in range(n, room):
        to_shown[j] = to_week[j] = to_run[j] = -1
