"""Logs in, `Dataset`s out: loaders, checks, cleaning, catalogue, split, cache."""

from bundlegym.data.base import REQUIRED_COLUMNS, TRANSACTION_COLUMNS, Dataset, Log, Split
from bundlegym.data.campaigns import CampaignRecords, Campaigns
from bundlegym.data.clean import clean
from bundlegym.data.complete_journey import load_complete_journey
from bundlegym.data.config import DataConfig
from bundlegym.data.encode import build_dataset
from bundlegym.data.load import load_log
from bundlegym.data.prepare import prepare
from bundlegym.data.schema import check_log
from bundlegym.data.select import lines_of, part_of, part_of_catalogue, visit_rows
from bundlegym.data.split import split
from bundlegym.data.store import load_dataset, save_dataset
from bundlegym.data.synthetic import Truth, complement_pairs, synthetic_dataset, synthetic_log, truth

__all__ = [
    "REQUIRED_COLUMNS",
    "TRANSACTION_COLUMNS",
    "CampaignRecords",
    "Campaigns",
    "DataConfig",
    "Dataset",
    "Log",
    "Split",
    "Truth",
    "build_dataset",
    "check_log",
    "clean",
    "complement_pairs",
    "lines_of",
    "load_complete_journey",
    "load_dataset",
    "load_log",
    "part_of",
    "part_of_catalogue",
    "prepare",
    "save_dataset",
    "split",
    "synthetic_dataset",
    "synthetic_log",
    "truth",
    "visit_rows",
]
