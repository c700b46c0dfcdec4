"""The recipes of CONTRIBUTING.md, each followed in a copy of the tree: nothing else is to do."""
