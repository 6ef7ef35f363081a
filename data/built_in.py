"""The made-up logs by name: those of `synthetic`, to fit shoppers to, and of `planted`, whose shoppers are
stated."""

from __future__ import annotations

from bundlegym.data.base import Log
from bundlegym.data.planted import PLANTED, planted_log
from bundlegym.data.synthetic import LOGS, synthetic_log

#: Their names.
BUILT_IN = (*LOGS, *PLANTED)
#: Of how they are drawn: prepared logs of another one are not read from the cache.
VERSION = "2"


def built_in_log(name: str) -> Log:
    """The log of a name in `BUILT_IN`."""
    return planted_log(name) if name in PLANTED else synthetic_log(**LOGS[name])
