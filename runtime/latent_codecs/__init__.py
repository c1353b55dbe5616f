"""How latents become bits: one module per latent codec of the language."""

import codecspec.runtime.compressai_classes  # noqa: F401  (first, and so without warnings)
