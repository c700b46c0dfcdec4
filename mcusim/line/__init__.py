"""The stages of the line, one module each; `mcusim/pipeline.py` is their order on one page."""
