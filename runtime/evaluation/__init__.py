"""What a codec costs and what it gives, image by image."""
