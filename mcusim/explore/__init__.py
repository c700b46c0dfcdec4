"""Experiment -> Exploration: which of its keys' values give the best trade of figures."""
