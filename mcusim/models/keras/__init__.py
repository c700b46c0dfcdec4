"""Model format `keras`: `.keras` and `.h5` files."""
