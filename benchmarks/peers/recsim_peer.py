"""RecSim interest evolution, slates of 2 of 10 documents by random actions: steps per CPU-second, as JSON."""

import json
import time

import numpy as np
from recsim.environments import interest_evolution

STEPS, DOCUMENTS, SLATE = 3000, 10, 2
settings = {"num_candidates": DOCUMENTS, "slate_size": SLATE, "resample_documents": True, "seed": 0}
env = interest_evolution.create_environment(settings)
rng = np.random.default_rng(0)
actions = [rng.choice(DOCUMENTS, SLATE, replace=False) for _ in range(STEPS)]
env.reset()
start = time.process_time()
for action in actions:
    if env.step(action)[2]:
        env.reset()
print(json.dumps({"items": DOCUMENTS, "steps_per_cpu_second": STEPS / (time.process_time() - start)}))
