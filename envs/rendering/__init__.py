"""What an environment shows to people: the scene at hand, in words and as a picture."""
