"""The types of what `bundlegym/__init__.py` loads when it is asked for."""

from bundlegym.data import DataConfig as DataConfig
from bundlegym.data import load_log as load_log
from bundlegym.data import prepare as prepare
from bundlegym.deployment.policy import BundlePolicy as BundlePolicy
from bundlegym.errors import UserError as UserError
from bundlegym.evaluation.config import TrainConfig as TrainConfig
from bundlegym.evaluation.experiment import Experiment as Experiment

__version__: str
__all__: list[str]
