"""Tests run side by side on all cores: threads of BLAS for small matrices only wait for each other there."""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before NumPy is imported; what tests start inherits it
os.environ.setdefault("OMP_NUM_THREADS", "1")
