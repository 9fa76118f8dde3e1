"""What the schemas say, generated."""
