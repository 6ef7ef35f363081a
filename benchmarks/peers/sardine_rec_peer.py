"""SARDINE, slates of 10 of 1,000 items by random actions: steps per CPU-second, as JSON."""

import json
import time

import gymnasium as gym
import sardine  # noqa: F401  (registers)

STEPS = 3000
env = gym.make("sardine/SlateTopK-Bored-v0")
env.reset(seed=0)
env.action_space.seed(0)
actions = [env.action_space.sample() for _ in range(STEPS)]
start = time.process_time()
for action in actions:
    if any(env.step(action)[2:4]):
        env.reset()
print(json.dumps({"items": 1000, "steps_per_cpu_second": STEPS / (time.process_time() - start)}))
