"""The networks, in PyTorch: used for training and exported to ONNX for running (extra
``train``).
"""
