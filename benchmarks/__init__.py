"""What is fast, measured side by side in one run with what people would use instead.

``python -m benchmarks NAME``; each module has `run() -> dict` and prints its figures as a table.
"""
