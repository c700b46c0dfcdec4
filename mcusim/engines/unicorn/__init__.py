"""Engine `unicorn`: the core alone, with all the memory that a chip has, and nothing else of it."""
