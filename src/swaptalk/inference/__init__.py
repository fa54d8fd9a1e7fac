"""The networks at run time: engines for ONNX and LiteRT graphs, compiled graphs, codebooks, the
bundle and its checks.
"""
