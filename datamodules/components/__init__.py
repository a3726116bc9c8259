"""Building blocks of the data modules: files, decoding, caches, loaders, shards."""
