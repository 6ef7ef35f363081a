"""Shoppers under names that mean nothing outside a run, so that a page can go from hand to hand."""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import secrets
from pathlib import Path

from bundlegym.errors import UserError

#: The file in a run's folder that ties pseudonyms to ids; whoever has it and the log can undo them.
KEY_FILE = "pseudonyms.key"
_LETTERS = 6


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
                part = path.with_name(f"{path.name}.part")
                part.write_bytes(secrets.token_bytes(32))
                part.chmod(0o600)
                os.replace(part, path)
            return Pseudonyms(path.read_bytes())
        except OSError as error:
            raise UserError(
                f"{path}: {error.strerror}; the page needs it to hide shoppers' ids: make the run's folder"
                " writable"
            ) from error

    def __call__(self, shopper: str) -> str:
        """Six letters and digits in place of an id of the log."""
        digest = hmac.new(self._key, shopper.encode(), hashlib.sha256).digest()
        return base64.b32encode(digest).decode()[:_LETTERS]
