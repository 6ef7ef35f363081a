"""RLlib's PPO with two workers: `pip install 'ray[rllib]'; python examples/rllib_ppo.py --iterations 3`.

RLlib pins a gymnasium of its own, so give it a virtual environment of its own.
"""

import argparse

import gymnasium as gym
from gymnasium.wrappers import FlattenObservation
from ray.rllib.algorithms.ppo import PPOConfig
from ray.tune.registry import register_env


def make(options: dict) -> gym.Env:
    """One environment in a worker; masked actions count as the first legal offer."""
    import bundlegym  # noqa: F401  (registers, in each worker)

    return FlattenObservation(gym.make("bundlegym/Bundle-v0", **options))


parser = argparse.ArgumentParser()
parser.add_argument("--iterations", type=int, default=3)
args = parser.parse_args()

register_env("bundle", make)
config = (
    PPOConfig()
    .environment("bundle", env_config={"preset": "quick"})
    .env_runners(num_env_runners=2, rollout_fragment_length=256)
    .training(train_batch_size_per_learner=512, minibatch_size=128, num_epochs=2, gamma=0.95, lr=1e-3)
)
algorithm = config.build_algo()
for iteration in range(args.iterations):
    runners = algorithm.train()["env_runners"]
    print(
        f"iteration {iteration + 1}: {runners['num_env_steps_sampled_lifetime']:.0f} steps, "
        f"return {runners['episode_return_mean']:+.4f}"
    )
algorithm.stop()
