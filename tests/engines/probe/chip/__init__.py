"""A chip whose pins a debug probe touches, played: real servers speak to it. Nothing of it is silicon."""
