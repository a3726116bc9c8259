"""Parts plugged into Lightning's Trainer: DDP, checkpoints, signals, batches of a step, private parts of Lightning."""
