"""bundlegym: simulated shoppers fitted to a shop's log, and agents that learn which bundles to offer them.

Importing the package registers `bundlegym/Bundle-v0`, `bundlegym/Slate-v0`, `bundlegym/KnownOptimum-v0` and
`bundlegym/Planning-v0` with Gymnasium. What most need of it is here, and is loaded when it is asked for:

- `load_log(path, ...)` is a table of transactions as a `Log`; `prepare(DataConfig(log=...))` is one cleaned
  and numbered, as all else takes it.
- `Experiment(TrainConfig(...)).run()` fits shoppers, trains agents and judges them;
  `Experiment.open("runs/NAME")` is one that is there.
- `BundlePolicy.load("runs/NAME").recommend(...)` makes offers by an agent of a run, outside the simulator.
"""

import importlib.util

import gymnasium

from bundlegym.errors import UserError
from bundlegym.lazy import loaded_when_asked

if importlib.util.find_spec("bundlegym.data") is None:
    raise ImportError(
        f"bundlegym: {__path__[0]} holds no folders data, envs, ...: this copy has no symbolic links; "
        "let git make them (git config core.symlinks true, then git checkout -- bundlegym), or install the "
        "package (python -m pip install .) and start it from another folder"
    )

__version__ = "0.1.0"

#: name -> the module that has it; `__init__.pyi` gives their types.
_LOADED_WHEN_ASKED = {
    "BundlePolicy": "bundlegym.deployment.policy",
    "DataConfig": "bundlegym.data",
    "Experiment": "bundlegym.evaluation.experiment",
    "TrainConfig": "bundlegym.evaluation.config",
    "load_log": "bundlegym.data",
    "prepare": "bundlegym.data",
}
__all__ = ["UserError", "__version__", *_LOADED_WHEN_ASKED]
__getattr__, __dir__ = loaded_when_asked(__name__, _LOADED_WHEN_ASKED)

#: Their shoppers have stated parameters.
_PLANTED = "bundlegym.user_models.planted:PlantedShopper"
_ENTRY_POINTS = {
    "entry_point": "bundlegym.envs.bundle_env:BundleEnv",
    "vector_entry_point": "bundlegym.envs.vector_env:BundleVectorEnv",
}
gymnasium.register("bundlegym/Bundle-v0", **_ENTRY_POINTS)
gymnasium.register("bundlegym/Slate-v0", entry_point="bundlegym.envs.slate_env:SlateEnv")
for _name, _preset in (("KnownOptimum", "known-optimum"), ("Planning", "planning")):
    gymnasium.register(
        f"bundlegym/{_name}-v0", **_ENTRY_POINTS, kwargs={"preset": _preset, "user_model": _PLANTED}
    )
