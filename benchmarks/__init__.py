"""Measurements that the README and the changelog quote; each is one module, run as `python -m benchmarks NAME`."""
