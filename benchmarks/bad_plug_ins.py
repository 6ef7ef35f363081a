"""Shoppers of somebody's own that are wrong in a thousand ways: does any of them stop or hang the check?

Each is a class written by a seed: a plain one that works, into whose methods one to three wrong pieces of
code are put, some of which are reached only now and then. Each is loaded and checked as `--user-model
module:Class` is. A good end is a list of one-line problems, or none where what is wrong did nothing, before
the time is over. The exit code is 1 where there is any other.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from bundlegym.data import Dataset, synthetic_dataset
from bundlegym.errors import UserError
from bundlegym.user_models.registry import build_user_model
from bundlegym.user_models.testing import problems

#: What may go wrong in any method.
ANYWHERE = (
    "raise ValueError('no\\nluck\\x1b[2J')", "raise KeyError(3)", "raise SystemExit(0)",
    "import sys; sys.exit(3)",
    "raise GeneratorExit", "raise StopIteration", "raise MemoryError", "raise BaseException('x')",
    "raise RecursionError", "return self.missing", "return 1 / 0", "assert False", "import no_such_module",
    "return None", "return {}", "return []", "return 3", "return 'text'", "return object()",
    "return float('nan')",
    "return (lambda f: f(f))(lambda f: f(f))",
    "[0] * 10**18",
    "self.seen = getattr(self, 'seen', 0) + 1; return Answer(basket={0: self.seen}, days=7)",
    "import random; return Answer(basket={random.randrange(5): 1}, days=7)",
    "import numpy; numpy.random.seed(0); return Answer(basket={int(numpy.random.rand() * 5): 1}, days=7)",
    "import torch; torch.manual_seed(1); return Answer(basket={int(torch.rand(1) * 5): 1}, days=7)",
)  # fmt: skip
#: Visits without an end; what makes a class may take as long as it likes, as a fit does.
ENDLESS = (
    "while True: pass",
    "import time; time.sleep(10**6)",
    "import threading; threading.Event().wait()",
    "import itertools; any(False for _ in itertools.count())",
    """
while True:
    try:
        while True:
            pass
    except:
        pass""",
    """
while True:
    try:
        sum(range(1000))
    except BaseException:
        continue""",
)  # fmt: skip
#: What may be wrong of an answer.
ANSWERS = tuple(
    f"return Answer({given})"
    for given in (
        "basket={0: -3}, days=7", "basket={10**9: 1}, days=7", "basket={-1: 1}, days=7",
        "basket={0: 0}, days=7",
        "basket={0: 1.5}, days=7", "basket={0: float('nan')}, days=7", "basket={0: 10**30}, days=7",
        "basket={'0': 1}, days=7", "basket={None: None}, days=7", "basket=[0, 1], days=7",
        "basket=None, days=7",
        "basket=3, days=7", "basket={0: True}, days=7", "basket={0: 1}, days=-1", "basket={0: 1}, days=0",
        "basket={0: 1}, days=10**12", "basket={0: 1}, days=float('inf')", "basket={0: 1}, days='soon'",
        "basket={0: 1}, days=None", "basket={0: 1}, left=3", "basket={0: 1}, left=None, days=7", "take=True",
        "take='yes'", "take=None, basket=()", "take=True, basket={0: 10**4}, days=400", "left=True",
        "basket={i: 1 for i in range(100000)}, days=7", "days=7", "basket={0: 1}, days=7, magic=1",
    )
)  # fmt: skip
METHODS = ("__init__", "reset", "respond")
HEADS = {
    "__init__": "def __init__(self, dataset=None):",
    "reset": "def reset(self, shopper, day):",
    "respond": "def respond(self, state, visit, luck):",
}
RIGHT = {"__init__": "pass", "reset": "return {}", "respond": "return Answer(basket={}, days=7)"}


def source(seed: int) -> str:
    """A module with a class `Shopper` that is wrong somewhere."""
    luck = random.Random(seed)
    lines: dict[str, list[str]] = {method: [] for method in METHODS}
    for _ in range(luck.randint(1, 3)):
        method = luck.choices(METHODS, (1, 2, 6))[0]
        some = {"__init__": ANYWHERE, "reset": ANYWHERE + ENDLESS}.get(method, ANYWHERE + ENDLESS + ANSWERS)
        lines[method].append(_now_and_then(luck.choice(some), luck))
    text = ["from bundlegym.user_models import Answer", "calls = [0]", "class Shopper:"]
    for method in METHODS:
        body = "\n".join([*lines[method], RIGHT[method]])
        text += [f"    {HEADS[method]}", *(f"        {line}" for line in body.splitlines() if line)]
    return "\n".join(text) + "\n"


def _now_and_then(wrong: str, luck: random.Random) -> str:
    """A wrong piece of code, in one case of three reached only at some calls."""
    if luck.random() < 2 / 3:
        return wrong
    inside = "\n".join(f"    {line}" for line in wrong.splitlines() if line)
    return f"calls[0] += 1\nif calls[0] % {luck.randint(2, 200)} == 0:\n{inside}"


def ending(name: str, dataset: Dataset, patience: float) -> tuple[str, float]:
    """In a word or two, how the check of a module's class ended, and after how many seconds."""
    began = time.monotonic()
    try:
        found = problems(build_user_model(f"{name}:Shopper", dataset, {}), dataset, patience)
        end = "told" if found else "nothing wrong was met"
        if any(len(text.splitlines()) != 1 or "\x1b" in text for text in found):
            end = "TOLD, NOT IN PLAIN LINES"
    except UserError as error:
        end = "told" if len(str(error).splitlines()) == 1 else "TOLD, NOT IN PLAIN LINES"
    except BaseException as error:
        end = f"OTHER ERROR ({type(error).__name__})"
    return end, time.monotonic() - began


@contextmanager
def importable(folder: str) -> Iterator[None]:
    """Modules of a folder can be imported inside."""
    sys.path.insert(0, folder)
    try:
        yield
    finally:
        sys.path.remove(folder)


def try_out(seeds: Iterable[int], patience: float) -> tuple[Counter[str], float, list[str]]:
    """How often each end came, the longest seconds, and the seeds that ended badly."""
    dataset, ends, longest, bad = synthetic_dataset(n_shoppers=60, n_weeks=12), Counter[str](), 0.0, []
    with tempfile.TemporaryDirectory() as folder, importable(folder):
        for seed in seeds:
            name = f"bad_plug_in_{seed}"
            (Path(folder) / f"{name}.py").write_text(source(seed))
            end, seconds = ending(name, dataset, patience)
            sys.modules.pop(name, None)
            ends[end] += 1
            longest = max(longest, seconds)
            if end.isupper() or end.startswith(("TOLD", "OTHER")):
                bad.append(f"seed {seed}: {end}")
    return ends, longest, bad


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=1000, help="classes (1000)")
    parser.add_argument("--seed", type=int, default=0, help="of the first (0)")
    parser.add_argument("--patience", type=float, default=0.5, help="seconds for a visit (0.5)")
    options = parser.parse_args()
    ends, longest, bad = try_out(range(options.seed, options.seed + options.times), options.patience)
    print(f"{options.times} classes: {', '.join(f'{count} {end}' for end, count in sorted(ends.items()))}")
    print(f"the longest check took {longest:.1f} s")
    for line in bad:
        print(f"    {line}")
    sys.exit(1 if bad else 0)


if __name__ == "__main__":
    main()
