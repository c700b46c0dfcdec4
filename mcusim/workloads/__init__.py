"""What runs: an image, where its samples go in, where its answers come out."""
