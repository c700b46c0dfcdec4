"""mcusim/explore/."""
