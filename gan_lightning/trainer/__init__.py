"""What is plugged into Lightning's Trainer."""
