"""What `python -m benchmarks peers` sets against each other; one module is imported in a process, so that its memory is its own."""
