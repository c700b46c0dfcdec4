"""Quantization-aware training (section 4.3 of the MicroAI paper): what is trained is what is deployed."""
