"""Spec to plan to module, and weights from one layout to another. Torch only inside build."""
