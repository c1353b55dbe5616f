"""A coded image as bytes: the container, and what its chunks hold. docs/stream-format.md specifies it."""
