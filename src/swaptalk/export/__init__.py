"""Trained weights to the bundle that runs: graphs, ONNX files, parity with PyTorch, packaging."""
