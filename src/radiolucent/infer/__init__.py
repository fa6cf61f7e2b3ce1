"""The forward pass: the only room that runs ONNX Runtime on images."""
