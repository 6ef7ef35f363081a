"""The results table: as JSON, and as text for a terminal; and offers told in words."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bundlegym.agents.base import Policy
from bundlegym.data import Dataset
from bundlegym.data.sealed import read_sealed_json
from bundlegym.envs.base import GAIN, VisitRecord
from bundlegym.envs.core import BundleCore
from bundlegym.errors import UserError
from bundlegym.evaluation.rollout import AT_HIGHER_MARGINS, AT_LOWER_MARGINS, MARGIN_SHIFT, SHARE
from bundlegym.evaluation.run_folder import check_there
from bundlegym.evaluation.verdict import note
from bundlegym.terminal import shown

_COLUMNS = (
    (GAIN, "incremental margin a visit"),
    (SHARE, "of twin's"),
    (AT_LOWER_MARGINS, f"at -{100 * MARGIN_SHIFT:.0f} pts"),
    (AT_HIGHER_MARGINS, f"at +{100 * MARGIN_SHIFT:.0f} pts"),
    ("margin_per_visit", "margin a visit"),
    ("acceptance_rate", "taken"),
    ("cherry_pick_rate", "cherry-picked"),
    ("size", "size"),
    ("discount", "discount"),
)
_SIGNED = (AT_LOWER_MARGINS, AT_HIGHER_MARGINS)
#: What the columns of other margins mean, for the foot of a table.
MARGIN_LEGEND = (
    f"at -{100 * MARGIN_SHIFT:.0f} pts, +{100 * MARGIN_SHIFT:.0f} pts: the incremental margin of the same "
    "offers if each item's margin share were so many points of its list price lower, higher"
)
_RESPONSES = ("ignored it", "cherry-picked", "took it whole")


def read_results(folder: Path) -> dict[str, Any]:
    """`results.json` of a run.

    Raises:
        UserError: the folder holds none, or it, or the episodes that it vouches for, are damaged.
    """
    path = folder / "results.json"
    check_there(folder)
    if not os.path.isfile(path):  # which knows of no name too long
        raise UserError(
            f"{folder}: no results.json there, so it is no finished run; if it is a run, bundlegym train "
            f"--resume {folder} finishes it"
        )
    try:
        return read_sealed_json(path)
    except (OSError, ValueError, KeyError) as error:
        raise UserError(
            f"{path}: damaged, or of an earlier version ({error}); remove it and judge the run anew by "
            f"bundlegym train --resume {folder}"
        ) from error


def format_table(rows: list[dict[str, Any]]) -> str:
    """Rows from best to worst by incremental margin with its 95 % interval; a note stands below its row."""
    ordered = sorted(rows, key=lambda row: -row[_COLUMNS[0][0]]["mean"])
    lines = [["policy", "kind", *(title for _, title in _COLUMNS)]]
    for row in ordered:
        cells = [row["policy"], row["kind"]]
        for name, _ in _COLUMNS:
            value = row.get(name)  # runs of earlier versions lack some
            if value is None or value["mean"] is None:
                cells.append("-")
            elif name == _COLUMNS[0][0]:
                cells.append(f"{value['mean']:+.4f} [{value['low']:+.4f}, {value['high']:+.4f}]")
            elif name == SHARE:
                cells.append(f"{value['mean']:+.1%}")
            else:
                cells.append(f"{value['mean']:{'+.4f' if name in _SIGNED else '.3f'}}")
        lines.append(cells)
    head, *body = _aligned(lines).splitlines()
    told = [
        f"{line}\n    ({note(row)})" if note(row) else line for line, row in zip(body, ordered, strict=True)
    ]
    return "\n".join([head, *told])


def format_paired(entries: list[dict[str, Any]]) -> str:
    """How each policy of a table compares with the best other one that could be deployed, best first."""
    lines = [["policy", "less the best rival", "", "episodes", "best with probability"]]
    for entry in sorted(entries, key=lambda entry: -entry["probability_best"]):
        gap = entry["difference"]
        told = f"{gap['mean']:+.4f} [{gap['low']:+.4f}, {gap['high']:+.4f}]"
        lines.append(
            [
                entry["policy"],
                entry["rival"],
                told,
                str(entry["episodes"]),
                f"{entry['probability_best']:.2f}",
            ]
        )
    return _aligned(lines)


def _aligned(lines: list[list[str]]) -> str:
    """Columns of equal width, two blanks between them."""
    widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
    return "\n".join(
        "  ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def example_offers(
    core: BundleCore,
    policy: Policy,
    dataset: Dataset,
    seed: int,
    pseudonym: Callable[[str], str],
    count: int = 5,
) -> str:
    """The first `count` offers of a policy in words: items, prices, what the shopper did."""
    core.reseed(seed)
    core.reset()
    told: list[str] = []
    while len(told) < count:
        result = core.step(policy(core))
        if result.record is not None:
            told += [
                _tell(core, result.record, i, dataset, pseudonym) for i in range(len(result.record.slot))
            ]
            core.restart(result.terminated | result.truncated)
    return "\n".join(told[:count])


def _name(dataset: Dataset, item: int) -> str:
    """The item's name, or its id in the log where it has none."""
    row = dataset.items.iloc[item]
    return shown(row["name"] or f"item {row['item']}")


def format_report(report: dict[str, Any]) -> str:
    """What cleaning dropped, every assumption that stands in for a missing fact, and what is wrong."""
    cleaning = report["cleaning"]
    lines = [f"log: {cleaning['lines_before']:,} lines, {cleaning['lines_after']:,} after cleaning"]
    lines += [f"  dropped {d['lines']:,}: {d['reason']}" for d in cleaning["dropped"] if d["lines"]]
    lines.append(f"  outside the catalogue (bought too rarely): {report['lines_outside_catalogue']:,}")
    weighed = report["weighed_items"]
    lines.append(
        f"  sold by weight, as far as prices tell: {weighed['items']:,} items with "
        f"{weighed['share_of_lines']:.0%} of the lines"
        + (f", most of all {'; '.join(weighed['most_bought'][:5])}" if weighed["items"] else "")
    )
    for name, sentence in report["assumptions"].items():
        read = name.startswith(("table ", "vectors "))
        lines.append(f"{name}: {sentence}" if read else f"assumed, {name}: {sentence}")
    lines += [f"ERROR, {error['name']}: {error['sentence']}" for error in report["errors"]]
    return "\n".join(lines)


def _tell(
    core: BundleCore, record: VisitRecord, i: int, dataset: Dataset, pseudonym: Callable[[str], str]
) -> str:
    items = [int(item) for item in record.offer.items[i] if item >= 0]
    who = f"Shopper {pseudonym(str(dataset.shoppers['shopper'].iloc[int(record.shopper[i])]))}"
    gain = f"{float(record.incremental_margin[i]):+.2f} against the twin"
    if not items:
        return f"{who} was offered nothing ({gain})."
    week = int(core.market.week(record.day[i]))
    names = [f"{_name(dataset, j)} ({float(core.market.shelf_price[week, j]):.2f})" for j in items]
    did = _RESPONSES[int(record.response.choice[i])]
    cut = f"{float(record.offer.discount[i]):.0%} off"
    return f"{who} was offered {' + '.join(names)}, {cut}: {did} ({gain})."
