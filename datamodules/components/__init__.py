"""What the data modules are made of."""
