"""What an installation takes on disk, by package: `python benchmarks/install_size.py [--extra serve]`.

Counted is bundlegym's own requirements and all that they require, from the records of what pip has installed.
"""

from __future__ import annotations

import argparse
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement


def main() -> None:
    """Print the packages that take most, and the sum."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--extra", action="append", default=[], help="an extra of bundlegym, such as serve")
    parser.add_argument("--top", type=int, default=10, help="how many packages to print (10)")
    options = parser.parse_args()
    sizes = {each.name: megabytes(each) for each in closure("bundlegym", options.extra)}
    for name in sorted(sizes, key=lambda name: -sizes[name])[: options.top]:
        print(f"{name:24}{sizes[name]:8,.0f} MB")
    print(f"{f'{len(sizes)} packages':24}{sum(sizes.values()):8,.0f} MB")


def closure(root: str, extras: list[str]) -> list[Distribution]:
    """What `root` requires, directly or not; without `root`."""
    found: dict[str, Distribution] = {}
    waiting = [(root, tuple(extras))]
    while waiting:
        name, wanted = waiting.pop()
        for text in distribution(name).requires or []:
            needed = Requirement(text)
            if needed.marker and not any(needed.marker.evaluate({"extra": extra}) for extra in ("", *wanted)):
                continue
            try:
                each = distribution(needed.name)
            except PackageNotFoundError:  # another platform's, or one that pip was told to leave out
                continue
            if each.name not in found:
                found[each.name] = each
                waiting.append((each.name, tuple(needed.extras)))
    return list(found.values())


def megabytes(package: Distribution) -> float:
    """Of its files, those compiled by Python too."""
    paths = [Path(str(file.locate())) for file in package.files or []]
    return sum(path.stat().st_size for path in paths if path.is_file()) / 1e6


if __name__ == "__main__":
    main()
