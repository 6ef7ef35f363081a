"""bundlegym: simulated shoppers fitted to a shop's log, and agents that learn which bundles to offer them.

Importing the package registers `bundlegym/Bundle-v0` and `bundlegym/Slate-v0` with Gymnasium.
"""

import importlib.util

import gymnasium

from bundlegym.errors import UserError

if importlib.util.find_spec("bundlegym.data") is None:
    raise ImportError(
        f"bundlegym: {__path__[0]} holds no folders data, envs, ...: this copy has no symbolic links; "
        "let git make them (git config core.symlinks true, then git checkout -- bundlegym), or install the "
        "package (python -m pip install .) and start it from another folder"
    )

__version__ = "0.1.0"
__all__ = ["UserError", "__version__"]

gymnasium.register(
    "bundlegym/Bundle-v0",
    entry_point="bundlegym.envs.bundle_env:BundleEnv",
    vector_entry_point="bundlegym.envs.vector_env:BundleVectorEnv",
)
gymnasium.register("bundlegym/Slate-v0", entry_point="bundlegym.envs.slate_env:SlateEnv")
