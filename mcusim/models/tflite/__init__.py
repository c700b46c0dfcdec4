"""Model format `tflite`: what TensorFlow Lite's converter writes."""
