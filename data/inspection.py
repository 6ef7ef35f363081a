"""What a log holds, as far as it can be told before anything is fitted: `bundlegym inspect`."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from bundlegym.data.base import Log
from bundlegym.data.clean import clean
from bundlegym.data.columns_file import ColumnsFile, read_columns_file, with_file_options
from bundlegym.data.config import DataConfig, ReadOptions
from bundlegym.data.encode import build_dataset
from bundlegym.data.files import sources
from bundlegym.data.load import load_log
from bundlegym.data.mapping import (
    ITEM_COLUMNS,
    LINE_COLUMNS,
    full_mapping,
    header_words,
    in_names,
    located,
    parse_pairs,
)
from bundlegym.data.propose import Proposal, propose
from bundlegym.data.regular_price import asked_price
from bundlegym.data.side_tables import TableSource, parse_files, with_pairs
from bundlegym.data.tables import Table, open_table
from bundlegym.data.weeks import first_monday, week_of
from bundlegym.errors import UserError

#: Rows of each file by which columns are proposed.
SAMPLE_ROWS = 50_000
#: Lines that are shown as understood.
SHOWN = 10
#: Questions, by a text in the refusal that they answer: what to ask, and what each answer sets.
QUESTIONS: dict[str, tuple[str, dict[str, dict[str, Any]]]] = {
    "--day-first or --month-first": (
        "Does the day or the month come first? [d/m] ",
        {"d": {"day_first": True}, "m": {"month_first": True}},
    ),
    "--decimal . or --decimal ,": (
        "Which is the decimal sign? [. or ,] ",
        {".": {"decimal": "."}, ",": {"decimal": ","}},
    ),
}


@dataclass(frozen=True)
class Inspection:
    """A log as understood.

    Attributes:
        options: with what was answered.
        proposals: what each column is taken for.
        not_read: columns that are taken for nothing.
        log: cleaned lines; `cleaning` is the report of `clean`.
        trouble: one sentence where the log cannot be used, else "".
        support: what the log can and cannot support.
        test_visits: visits in the weeks that are kept for tests.
        notes: every inference and assumption.
        tables: those beside the log.
    """

    label: str
    options: DataConfig
    proposals: list[Proposal]
    not_read: list[str]
    log: Log
    cleaning: dict[str, Any]
    trouble: str
    support: list[str]
    test_visits: int
    notes: dict[str, str]
    tables: dict[str, TableSource]

    def as_json(self) -> dict[str, Any]:
        lines = self.log.transactions
        return {
            "shoppers": int(lines["shopper"].nunique()),
            "items": int(lines["item"].nunique()),
            "weeks": int(_weeks(lines).max()) + 1,
            "visits": int(lines.groupby(["shopper", "basket"]).ngroups),
            "pieces": int(lines["quantity"].sum()),
            "revenue": float((lines["quantity"] * lines["price_paid"]).sum()),
            "test_visits": self.test_visits,
            "first_day": str(lines["time"].min().date()),
            "last_day": str(lines["time"].max().date()),
            "mapping": {proposal.ours: proposal.theirs for proposal in self.proposals},
            "not_read": self.not_read,
            "notes": [f"{name}: {text}" for name, text in self.notes.items() if not _of_table(name)],
            "tables": {_of_table(name): text for name, text in self.notes.items() if _of_table(name)},
            "dropped": {row["reason"]: row["lines"] for row in self.cleaning["dropped"] if row["lines"]},
            "support": self.support,
            "error": self.trouble or None,
        }

    def as_toml(self) -> str:
        """The mapping, and the options that are not at their defaults, as `--columns` takes them."""
        pairs = [f"{proposal.ours} = {json.dumps(proposal.theirs)}" for proposal in self.proposals]
        pairs = [f"{pair}  # {p.reason}" for pair, p in zip(pairs, self.proposals, strict=True)]
        chosen = [
            f"{field.name} = {json.dumps(value)}"
            for field in fields(ReadOptions)
            if (value := getattr(self.options, field.name)) != field.default
        ]
        tables = [line for name, source in self.tables.items() for line in ("", *_table_toml(name, source))]
        return "\n".join([*pairs, *(["", "[options]", *chosen] if chosen else []), *tables]) + "\n"

    def as_text(self) -> str:
        """The page for a terminal."""
        facts = self.as_json()
        lines = [f"{self.label}", "", "Columns"]
        width = max(len(p.theirs) for p in self.proposals)
        lines += [f"  {p.ours:14} {p.theirs:{width}}  {p.reason}" for p in self.proposals]
        if self.not_read:
            lines += [f"  not read: {', '.join(self.not_read)}; --map NAME={self.not_read[0]} reads one"]
        lines += ["", "Lines as understood"]
        lines += ["  " + row for row in self.log.transactions.head(SHOWN).to_string(index=False).splitlines()]
        cleaning = self.cleaning
        lines += ["", f"{cleaning['lines_before']:,} lines, of which {cleaning['lines_after']:,} are usable"]
        lines += [f"  left out {lines_:,}: {reason}" for reason, lines_ in facts["dropped"].items()]
        if facts["tables"]:
            lines += ["", "Tables beside the log"]
            lines += [f"  {name:14} {text}" for name, text in facts["tables"].items()]
        lines += ["", "Found and assumed"]
        lines += [f"  {note}" for note in facts["notes"]]
        lines += [
            "",
            f"{facts['first_day']} to {facts['last_day']}: {facts['weeks']:,} weeks, {facts['shoppers']:,} "
            f"shoppers, {facts['items']:,} items, {facts['visits']:,} visits, {facts['pieces']:,} pieces, "
            f"revenue {facts['revenue']:,.2f}",
            "",
            "Visits a week",
        ]
        lines += _histogram(self.log.transactions)
        lines += ["", "What it can support", *(f"  {sentence}" for sentence in self.support)]
        if self.trouble:
            lines += ["", f"It cannot be used: {self.trouble}"]
        return "\n".join(lines)


def inspect_log(
    files: list[Path],
    config: DataConfig,
    ask: Callable[[str], str] | None = None,
) -> Inspection:
    """Propose a mapping for `files` (the greatest is the log, the others are joined to it), and try it.

    Args:
        ask: puts a question where something has two meanings; without it that is an error.

    Raises:
        UserError: the files cannot be read, a needed column is not found, or something has two meanings.
    """
    log, others = _log_first(files)
    config = replace(config, log=str(log), join=(*config.join, *map(str, others)))
    stated = read_columns_file(config.columns) if config.columns is not None else ColumnsFile({}, {}, {})
    config = with_file_options(config, stated.options)
    given = parse_pairs(config.map)
    mapping = full_mapping({**stated.pairs, **{o: t for o, t in given.items() if "." not in o}})
    beside = {ours: theirs for ours, theirs in given.items() if "." in ours}
    beside_log = with_pairs(stated.tables, parse_files(config.table), beside)
    table = open_table(log, config, header_words(mapping))
    named = {o: name for o, theirs in mapping.items() if (name := in_names(theirs, table.names))}
    proposals = propose(table.beginning(SAMPLE_ROWS), config, named)
    while True:
        try:
            return _tried(log, table, config, proposals, mapping, beside_log)
        except UserError as error:
            config = _answered(error, config, ask)


def _answered(error: UserError, config: DataConfig, ask: Callable[[str], str] | None) -> DataConfig:
    """`config` with what the person answers to the question behind `error`."""
    for mark, (question, answers) in QUESTIONS.items():
        if mark in str(error) and ask is not None:
            answer = ""
            while answer not in answers:
                answer = ask(f"{error}\n{question}").strip().lower()[:1]
            return replace(config, **answers[answer])
    raise error


def _tried(
    path: Path,
    table: Table,
    config: DataConfig,
    proposals: list[Proposal],
    mapping: dict[str, str],
    beside_log: dict[str, TableSource],
) -> Inspection:
    pairs = {**{p.ours: p.theirs for p in proposals}, **mapping}
    read = {*located(pairs, (*LINE_COLUMNS, *ITEM_COLUMNS), table.names).values(), *config.text}
    read |= {joined.key for joined in table.joined}
    raw = load_log(path, pairs, items_path=config.items_file, tables=beside_log, options=config)
    log, cleaning = clean(raw, config)
    visits = log.transactions.drop_duplicates(["shopper", "basket"])
    weeks = _weeks(log.transactions)
    test = max(1, round(config.test_share * (int(weeks.max()) + 1)))
    test_visits = int((weeks[visits.index] > weeks.max() - test).sum())
    trouble, notes = "", dict(log.assumptions)
    try:
        dataset = build_dataset(raw, config)
        notes |= dataset.report["assumptions"]
    except UserError as error:
        try:
            build_dataset(raw, replace(config, min_purchases=1))
            notes["catalogue"] = f"{error}; a lower --min-purchases than {config.min_purchases} is needed"
        except UserError as worse:
            trouble = str(worse)
    support = _support(log, int(weeks.max()) + 1, len(visits), config)
    return Inspection(
        str(path),
        config,
        proposals,
        [name for name in table.names if name not in read],
        log,
        cleaning,
        trouble,
        support,
        test_visits,
        {**table.notes, **notes},
        beside_log,
    )


def _of_table(note: str) -> str:
    """The table that a note of the name `note` says was read, or ""."""
    return note.removeprefix("table ") if note.startswith("table ") else ""


def _table_toml(name: str, source: TableSource) -> list[str]:
    """The lines of a columns file for a table beside the log."""
    pairs = {"file": source.file, **source.pairs}
    lines = [f"[{name}]", *(f"{_key(ours)} = {json.dumps(theirs)}" for ours, theirs in pairs.items())]
    for key, content in (("received", source.received), ("options", source.options)):
        if content:
            parts = ", ".join(f"{_key(ours)} = {json.dumps(value)}" for ours, value in content.items())
            lines.append(f"{key} = {{ {parts} }}")
    return lines


def _key(name: str) -> str:
    return name if re.fullmatch(r"[\w-]+", name, re.ASCII) else json.dumps(name)


def _log_first(files: list[Path]) -> tuple[Path, list[Path]]:
    """The greatest file, and the others."""
    if not files:
        raise UserError("give the file of a log, as in bundlegym inspect sales.csv")
    for file in files:
        sources(file)
    sizes = [sum(source.path.stat().st_size for source in sources(file)) for file in files]
    log = files[int(np.argmax(sizes))]
    return log, [file for file in files if file != log]


def _weeks(lines: pd.DataFrame) -> pd.Series:
    return week_of(lines["time"], first_monday(lines["time"]))


def _histogram(lines: pd.DataFrame, most: int = 30) -> list[str]:
    visits = lines.drop_duplicates(["shopper", "basket"])
    counts = np.bincount(week_of(visits["time"], first_monday(lines["time"])))
    step = -(-len(counts) // most)
    starts = range(0, len(counts), step)
    bars = [counts[start : start + step].mean() for start in starts]
    first = first_monday(lines["time"])
    return [
        f"  {(first + pd.Timedelta(weeks=start)).date()}  {bar:10,.0f}  {'#' * round(40 * bar / max(bars))}"
        for start, bar in zip(starts, bars, strict=True)
    ]


def _support(log: Log, weeks: int, visits: int, config: DataConfig) -> list[str]:
    """Sentences on what can be learned from the log, and what cannot."""
    lines = log.transactions
    sizes = lines.groupby(["shopper", "basket"])["item"].nunique()
    repeats = visits / max(lines["shopper"].nunique(), 1)
    counts = lines["item"].value_counts()
    kept = int((counts >= config.min_purchases).sum())
    several = float((sizes > 1).mean())
    asked = asked_price(lines)
    spread = asked.groupby(lines["item"]).agg(["min", "max"])
    moved = float((spread["max"] > 1.01 * spread["min"]).mean())
    cut = float((asked < 0.99 * lines["list_price"]).mean())
    return [
        f"catalogue: {kept:,} of {len(counts):,} items have {config.min_purchases} purchases or more",
        f"repeat visits: {repeats:.1f} visits a shopper"
        + ("" if repeats >= 2 else "; too few to learn when shoppers come back"),
        f"synergy: {several:.0%} of the visits hold several items"
        + ("" if several >= 0.2 else "; too few to learn what goes together"),
        f"prices: {moved:.0%} of the items change their price, {cut:.1%} of the lines are promoted"
        + ("" if moved >= 0.1 and cut >= 0.01 else "; too few to learn answers to prices well"),
        _promotions(log),
        _campaigns(log),
        "costs: " + ("given" if _has_costs(log) else "none, so margins are taken by department"),
        "shoppers: "
        + (
            f"{', '.join(map(str, log.shoppers.columns.drop('shopper')))} known"
            if log.shoppers is not None
            else "nothing known but what they buy"
        ),
        f"test split: {weeks:,} weeks"
        + ("" if weeks >= 8 else "; too few for more than a look, as tests keep the last weeks"),
    ]


def _promotions(log: Log) -> str:
    if log.promotions is None:
        return "promotions: no display or mailer records"
    if log.promotions.empty:
        return "promotions: nothing was displayed or mailed; no answers to promotions can be learned"
    told = [
        f"{way} of {log.promotions.loc[log.promotions[way] > 0, 'item'].nunique():,} items"
        for way in ("display", "mailer")
    ]
    return f"promotions: {', '.join(told)} in {log.promotions['week'].nunique():,} weeks"


def _campaigns(log: Log) -> str:
    if log.campaigns is None:
        return "coupons: no campaigns"
    records = log.campaigns
    used = "not known" if records.redemptions is None else f"{len(records.redemptions):,}"
    return (
        f"coupons: {len(records.campaigns):,} campaigns to {records.members['shopper'].nunique():,} "
        f"shoppers; coupons used: {used}"
    )


def _has_costs(log: Log) -> bool:
    known = log.items is not None and "unit_cost" in log.items and log.items["unit_cost"].notna().any()
    return log.costs is not None or bool(known)
