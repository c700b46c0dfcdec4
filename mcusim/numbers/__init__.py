"""How reals become integers, and sums become outputs."""
