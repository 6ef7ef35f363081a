"""What an agent sees: the batched core and its views."""

from bundlegym.lazy import loaded_when_asked

#: name -> the module that has it; `__init__.pyi` gives their types. What is compiled needs no torch.
_MODULES = {
    "BundleCore": "bundlegym.envs.core",
    "BundleEnv": "bundlegym.envs.bundle_env",
    "BundleVecEnv": "bundlegym.envs.sb3_vec_env",
    "BundleVectorEnv": "bundlegym.envs.vector_env",
    "CandidateSource": "bundlegym.envs.market",
    "EnvConfig": "bundlegym.envs.config",
    "METRICS": "bundlegym.envs.base",
    "Market": "bundlegym.envs.market",
    "PRESETS": "bundlegym.envs.make",
    "SlateEnv": "bundlegym.envs.slate_env",
    "VisitRecord": "bundlegym.envs.base",
    "build_market": "bundlegym.envs.market",
    "make_core": "bundlegym.envs.make",
    "recommended": "bundlegym.envs.market",
    "to_numpy": "bundlegym.envs.views",
    "with_shoppers": "bundlegym.envs.market",
}
__all__ = list(_MODULES)
__getattr__, __dir__ = loaded_when_asked(__name__, _MODULES)
