"""Data set and settings -> trained Keras models. Importing its modules imports neither Keras nor TensorFlow."""
