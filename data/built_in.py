"""The logs that come with the software, and have no files of their own.

The made-up ones are those of `synthetic`, to fit shoppers to, and of `planted`, whose shoppers are stated.
"""

from __future__ import annotations

from bundlegym.data.base import Log
from bundlegym.data.config import DataConfig
from bundlegym.data.planted import PLANTED, planted_log
from bundlegym.data.synthetic import LOGS, synthetic_log
from bundlegym.errors import UserError

#: Names of the made-up ones, and of all.
BUILT_IN = (*LOGS, *PLANTED)
BUILT_IN_LOGS = ("complete-journey", *BUILT_IN)
#: Options that say what the columns and tables of a log are.
_OF_FILES = ("columns", "map", "items_file", "table", "join", "later", "known")
#: Of how they are drawn: prepared logs of another one are not read from the cache.
VERSION = "2"


def built_in_log(name: str) -> Log:
    """The log of a name in `BUILT_IN`."""
    return planted_log(name) if name in PLANTED else synthetic_log(**LOGS[name])


def check_mapping(config: DataConfig) -> None:
    """That nothing says how to read a log which is not read, but comes with the software.

    Raises:
        UserError: an option does.
    """
    for option in _OF_FILES if config.log in BUILT_IN_LOGS else ():
        if getattr(config, option):
            raise UserError(f"{config.label(option)}: --log {config.log} is built in and takes none")
