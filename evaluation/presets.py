"""Options of train.py that go together, by name: `--preset NAME` begins from them in place of the defaults.

Options that the command line names overrule those of a preset, and a run's `config.json` keeps what came of
both; it knows nothing of presets.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from bundlegym.errors import UserError
from bundlegym.evaluation.config import TrainConfig
from bundlegym.options import Parser, parsed

#: Fields of `TrainConfig` that differ from its defaults.
PRESETS: dict[str, dict[str, Any]] = {
    "graph": {
        "agents": ("ppo",),
        "candidates": "lightgcn",
        "embeddings": "lightgcn",
        "shopper_embeddings": "lightgcn",
    },
}


def train_config(args: Sequence[str], **how: Any) -> TrainConfig:
    """The run that options of bundlegym train ask for, `--preset` among them.

    Args:
        how: further arguments of `options.parsed`.

    Raises:
        UserError: an option or a preset is unknown, or the value of an option is none.
    """
    parser = Parser(add_help=False)
    parser.add_argument("--preset")
    known, others = parser.parse_known_args(list(args))
    if known.preset is None:
        return parsed(TrainConfig, args=others, **how)
    if known.preset not in PRESETS:
        raise UserError(f"--preset {known.preset!r}: is none of {', '.join(PRESETS)}")
    return parsed(TrainConfig, args=others, default=TrainConfig(**PRESETS[known.preset]), **how)


def presets_in_words() -> str:
    """Each preset with the options that it stands for."""
    return "; ".join(f"`{name}`, {_as_options(chosen)}" for name, chosen in PRESETS.items())


def _as_options(chosen: dict[str, Any]) -> str:
    words = []
    for field, value in chosen.items():
        words += [TrainConfig.label(field), *(value if isinstance(value, tuple) else (value,))]
    return " ".join(map(str, words))
