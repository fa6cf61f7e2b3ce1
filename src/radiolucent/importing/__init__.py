"""Networks of other libraries as engine packages: the only room of the package that may import torch and onnx."""
