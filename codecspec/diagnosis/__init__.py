"""What is wrong with a checkpoint."""
