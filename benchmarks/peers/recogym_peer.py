"""RecoGym v1, 10 products by random actions, one user after another: steps per CPU-second, as JSON."""

import json
import time

import gym
import numpy as np
from recogym import env_1_args

STEPS = 5000
env = gym.make("reco-gym-v1")
env.init_gym({**env_1_args, "random_seed": 0})
actions = np.random.default_rng(0).integers(0, env_1_args["num_products"], STEPS).tolist()
user = 0
env.reset(user)
start = time.process_time()
env.step(None)
for action in actions:
    if env.step(action)[2]:
        user += 1
        env.reset(user)
        env.step(None)
products = env_1_args["num_products"]
print(json.dumps({"items": products, "steps_per_cpu_second": STEPS / (time.process_time() - start)}))
