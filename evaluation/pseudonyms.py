"""Shoppers under names that mean nothing outside a run, so that a page can go from hand to hand.

All that is printed or made for reading calls shoppers so; the offers of `bundlegym recommend` alone have the
log's ids, since whoever makes the offers needs them.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from pathlib import Path

from bundlegym.data.files import private_files, replacing
from bundlegym.errors import UserError

#: The file in a run's folder that ties pseudonyms to ids; whoever has it and the log can undo them.
KEY_FILE = "pseudonyms.key"
_LETTERS = 10


class Pseudonyms:
    """The same pseudonym for the same shopper, all through one run; another run has others."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    @staticmethod
    def of_run(folder: Path) -> Pseudonyms:
        """Those of a run folder, whose key is drawn and kept there at first use.

        Raises:
            UserError: the key cannot be written or read.
        """
        path = folder / KEY_FILE
        try:
            if not path.exists():
                with private_files(), replacing(path) as part:
                    part.write_bytes(secrets.token_bytes(32))
            return Pseudonyms(path.read_bytes())
        except OSError as error:
            raise UserError(
                f"{path}: {error.strerror}; it hides shoppers' ids: make the run's folder writable"
            ) from error

    def __call__(self, shopper: str) -> str:
        """Ten letters and digits in place of an id of the log: of a million, hardly ever are two alike."""
        digest = hmac.new(self._key, shopper.encode(), hashlib.sha256).digest()
        return base64.b32encode(digest).decode()[:_LETTERS]
