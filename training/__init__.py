"""Training of Radiolucent engines: the only home of PyTorch."""
