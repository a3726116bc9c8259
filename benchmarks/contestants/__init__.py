"""What `python -m benchmarks peers` sets against each other. Modules import little: what they do counts as memory."""
