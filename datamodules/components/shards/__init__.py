"""Shards: sets of images in a few large files."""
