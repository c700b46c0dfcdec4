"""Graph -> `.tflite`: a writer for each kind of layer, what they see, and the flatbuffer that becomes of it."""
