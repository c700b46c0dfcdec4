"""Engine `qemu`."""
