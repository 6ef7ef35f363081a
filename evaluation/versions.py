"""With which versions a run is made."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

import bundlegym

_PACKAGES = ("torch", "numpy", "pandas", "numba", "gymnasium", "stable-baselines3", "sb3-contrib")


def versions() -> dict[str, str]:
    """Of bundlegym, Python, and the packages that results depend on."""
    found = {"bundlegym": bundlegym.__version__, "python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:  # not installed by name: a build from source, say
            continue
    return found
