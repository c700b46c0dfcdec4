"""experiment.toml -> Experiment -> cases."""
