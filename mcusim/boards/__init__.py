"""platforms/ -> Board."""
