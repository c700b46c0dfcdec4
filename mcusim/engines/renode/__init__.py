"""Engine `renode`."""
