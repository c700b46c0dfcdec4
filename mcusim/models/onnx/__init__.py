"""ONNX: file -> Source."""
