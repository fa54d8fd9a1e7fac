"""The networks at run time: engines for ONNX and TensorFlow Lite graphs, compiled graphs,
codebooks, the bundle and its checks.
"""
