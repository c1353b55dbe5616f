"""From a checkpoint's tensors to the spec that it was built from, with proof."""
