"""The types of what `__init__.py` loads when it is asked for."""

from bundlegym.envs.base import METRICS as METRICS
from bundlegym.envs.base import VisitRecord as VisitRecord
from bundlegym.envs.bundle_env import BundleEnv as BundleEnv
from bundlegym.envs.config import EnvConfig as EnvConfig
from bundlegym.envs.core import BundleCore as BundleCore
from bundlegym.envs.make import PRESETS as PRESETS
from bundlegym.envs.make import make_core as make_core
from bundlegym.envs.market import CandidateSource as CandidateSource
from bundlegym.envs.market import Market as Market
from bundlegym.envs.market import build_market as build_market
from bundlegym.envs.market import recommended as recommended
from bundlegym.envs.market import with_shoppers as with_shoppers
from bundlegym.envs.sb3_vec_env import BundleVecEnv as BundleVecEnv
from bundlegym.envs.slate_env import SlateEnv as SlateEnv
from bundlegym.envs.vector_env import BundleVectorEnv as BundleVectorEnv
from bundlegym.envs.views import to_numpy as to_numpy

__all__: list[str]
