"""What an agent sees: the batched core and its views."""

from bundlegym.envs.base import METRICS, VisitRecord
from bundlegym.envs.bundle_env import BundleEnv
from bundlegym.envs.config import EnvConfig
from bundlegym.envs.core import BundleCore
from bundlegym.envs.make import PRESETS, make_core
from bundlegym.envs.market import CandidateSource, Market, build_market, recommended, with_shoppers
from bundlegym.envs.sb3_vec_env import BundleVecEnv
from bundlegym.envs.slate_env import SlateEnv
from bundlegym.envs.vector_env import BundleVectorEnv
from bundlegym.envs.views import to_numpy

__all__ = [
    "METRICS", "PRESETS", "BundleCore", "BundleEnv", "BundleVecEnv", "BundleVectorEnv", "CandidateSource",
    "EnvConfig", "Market", "SlateEnv", "VisitRecord", "build_market", "make_core", "recommended",
    "to_numpy", "with_shoppers",
]  # fmt: skip
