"""GAN Lightning."""
