"""Field experiments: the randomised test that would prove a gain, and what is learned from it."""
