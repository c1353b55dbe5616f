"""The layers of transforms that torch and CompressAI do not have."""

import codecspec.runtime.compressai_classes  # noqa: F401  (first, and so without warnings)
