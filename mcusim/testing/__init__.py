"""mcusim inside the test frameworks that users have."""
