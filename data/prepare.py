"""The way in: from a `DataConfig` to a `Dataset`, by way of a cache on disk."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, replace
from pathlib import Path

from bundlegym.data.base import Dataset, Log
from bundlegym.data.built_in import BUILT_IN, BUILT_IN_LOGS, VERSION, built_in_log, check_mapping
from bundlegym.data.columns_file import read_columns_file, with_file_options
from bundlegym.data.complete_journey import complete_journey_version, load_complete_journey
from bundlegym.data.config import DataConfig
from bundlegym.data.earlier_run import Known
from bundlegym.data.encode import build_dataset
from bundlegym.data.files import beside, stamps
from bundlegym.data.item_vectors import read_item_vectors, vector_stamps
from bundlegym.data.load import load_log
from bundlegym.data.mapping import parse_pairs
from bundlegym.data.schema import check_log
from bundlegym.data.side_tables import parse_files, with_pairs
from bundlegym.data.store import FORMAT_VERSION, load_dataset, save_dataset
from bundlegym.data.text_encoder import require_encoder
from bundlegym.errors import UserError
from bundlegym.terminal import remark

#: Options that say where files are, and not what is in them.
_NO_KEYS = ("cache_dir", "known")


def prepare(config: DataConfig, progress: bool = True) -> Dataset:
    """The prepared log of `config`, from the cache where it is there and sound.

    The cache's key covers every option, the size and time of change of each file (or the version of the
    package that ships the log), and the format's version; a damaged entry is made anew.

    Args:
        progress: print each step to standard error.

    Raises:
        UserError: a file, column or option is wrong, or the cache folder cannot be written.
    """
    check_mapping(config)
    folder = Path(config.cache_dir) / _cache_name(config)
    if (cached := _cached(folder, progress)) is not None:
        return cached
    options = _all_options(config)
    if options.text:
        require_encoder()  # which is not needed where the vectors are kept already
    _say(progress, f"reading {config.log} (the first time; later starts read {folder})")
    known = None if config.known is None else Known.load(config.known)
    # Nothing here keeps hold of the log, so that its lines can be let go of one by one as they are numbered.
    dataset = build_dataset(_load(config, progress), options, known)
    # A run beside this one may have saved the same by now, and others may be reading it.
    if (cached := _cached(folder, progress)) is not None:
        return cached
    _say(progress, f"saving {len(dataset.purchases):,} purchases")
    save_dataset(dataset, folder)
    return dataset


def _cached(folder: Path, progress: bool) -> Dataset | None:
    if not folder.exists():
        return None
    try:
        return load_dataset(folder)
    except UserError as error:
        _say(progress, f"preparing anew: {error}")
        return None


def _load(config: DataConfig, progress: bool) -> Log:
    log = read_log(config)
    _say(progress, f"cleaning and numbering {len(log.transactions):,} lines")
    return log


def read_log(config: DataConfig) -> Log:
    """The log of `config` before cleaning.

    Raises:
        UserError: a file, column or option is wrong.
    """
    if config.log in BUILT_IN_LOGS:
        log = built_in_log(config.log) if config.log in BUILT_IN else load_complete_journey()
        check_log(log, log.name)
        return replace(log, vectors=read_item_vectors(config.item_vectors, Path(config.log)))
    return load_log(
        config.log,
        parse_pairs(config.map),
        columns_file=config.columns,
        items_path=config.items_file,
        tables=parse_files(config.table),
        later=config.later,
        options=config,
    )


def _cache_name(config: DataConfig) -> str:
    """A readable start and a hash of everything that the result depends on."""
    options = {key: str(value) for key, value in asdict(config).items() if key not in _NO_KEYS}
    key = json.dumps([FORMAT_VERSION, options, _source(config)], sort_keys=True)
    digest = hashlib.sha256(key.encode()).hexdigest()[:16]
    return f"{Path(config.log).stem}-{digest}"


def _source(config: DataConfig) -> list[str]:
    """What tells one state of all that is read from another."""
    return [*_log_source(config), *vector_stamps(_all_options(config).item_vectors, Path(config.log))]


def _log_source(config: DataConfig) -> list[str]:
    """What tells one state of the log from another."""
    if config.log == "complete-journey":
        return [complete_journey_version()]
    if config.log in BUILT_IN:
        return [VERSION]
    joined = [beside(text.partition("@")[0], Path(config.log)) for text in _all_options(config).join]
    tables = read_columns_file(config.columns).tables if config.columns else {}
    tables = with_pairs(tables, parse_files(config.table), {})
    beside_log = [source.path(Path(config.log)) for source in tables.values()]
    files = (config.log, *config.later, config.columns, config.items_file, *joined, *beside_log)
    known = [] if config.known is None else [hashlib.sha256(_bytes(config.known)).hexdigest()]
    return [stamp for path in files if path is not None for stamp in stamps(Path(path))] + known


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from error


def _all_options(config: DataConfig) -> DataConfig:
    """`config` with the reading options of its columns file."""
    if config.columns is None:
        return config
    return with_file_options(config, read_columns_file(config.columns).options)


def _say(progress: bool, text: str) -> None:
    if progress:
        remark(f"data: {text}")
