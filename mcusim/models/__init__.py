"""Model file -> Graph, a module for each format."""
