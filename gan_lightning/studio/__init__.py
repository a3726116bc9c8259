"""A page in the browser: samples by sliders, photographs edited in latent space, translations, runs as they train.

Nothing is computed here: pictures are made by :mod:`gan_lightning.inference`, as the commands make them.
"""
