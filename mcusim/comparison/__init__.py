"""Two reports -> what changed between them, what that means, and whether it is more than was allowed."""
