"""Building blocks of networks: attention, normalisations, labels, pyramids."""
