"""The luck of simulated shoppers: counter-based draws, and every stream that they are drawn from."""
