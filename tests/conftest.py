"""Shared by all tests: CompressAI is imported through the runtime, which keeps its imports' warnings away."""

import codecspec.runtime.compressai_classes  # noqa: F401
