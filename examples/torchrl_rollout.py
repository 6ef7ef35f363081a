"""TorchRL's GymEnv, untouched: `pip install torchrl; python examples/torchrl_rollout.py`."""

from torchrl.envs import GymEnv, TransformedEnv
from torchrl.envs.transforms import CatTensors, RewardSum
from torchrl.envs.utils import check_env_specs

import bundlegym  # noqa: F401  (registers)

env = TransformedEnv(GymEnv("bundlegym/Bundle-v0", preset="quick", categorical_action_encoding=True))
env.append_transform(
    CatTensors(["candidates", "context", "picked", "shopper"], "observation", del_keys=False)
)
env.append_transform(RewardSum())
check_env_specs(env)
env.set_seed(0)
rollout = env.rollout(200, break_when_any_done=False)
ends = rollout["next", "done"][:, 0]
print(f"{len(rollout)} steps, {int(ends.sum())} episodes")
print(f"mean return {rollout['next', 'episode_reward'][ends].mean():+.4f}")
