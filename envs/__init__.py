"""What an agent sees: the batched core and its views."""

from bundlegym.envs.base import METRICS, EnvConfig, VisitRecord
from bundlegym.envs.bundle import BundleEnv
from bundlegym.envs.core import BundleCore
from bundlegym.envs.market import Market, build_market
from bundlegym.envs.vector import BundleVecEnv

__all__ = [
    "METRICS", "BundleCore", "BundleEnv", "BundleVecEnv", "EnvConfig", "Market", "VisitRecord",
    "build_market",
]  # fmt: skip
