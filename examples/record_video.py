"""A film of random offers: `pip install moviepy; python examples/record_video.py --folder films`.

In place of the random choice put your agent's, as in `model.predict(observation, action_masks=mask)`.
"""

import argparse

import gymnasium as gym
import numpy as np
from gymnasium.wrappers import RecordVideo

import bundlegym  # noqa: F401  (registers)

parser = argparse.ArgumentParser()
parser.add_argument("--folder", default="films")
parser.add_argument("--preset", default="synthetic", help="synthetic, complete-journey or quick")
args = parser.parse_args()

env = gym.make("bundlegym/Bundle-v0", render_mode="rgb_array", preset=args.preset)
env = RecordVideo(env, args.folder, episode_trigger=lambda episode: True, fps=2)
rng = np.random.default_rng(0)
observation, info = env.reset(seed=0)
over = False
while not over:
    action = rng.choice(np.flatnonzero(info["action_mask"]))
    observation, reward, terminated, truncated, info = env.step(action)
    over = terminated or truncated
env.close()
print(f"the film is in {args.folder}")
