"""What `python -m benchmarks peers` sets against each other, one module a process, so that its memory is its own."""
