"""What runs: layers, latent codecs, coding tables, streams, image files."""

import warnings

# CompressAI imports torch_geometric, which warns at its users of its own use of torch; nothing they could mend.
with warnings.catch_warnings():
    warnings.simplefilter("ignore", FutureWarning)
    warnings.simplefilter("ignore", DeprecationWarning)
    import compressai  # noqa: F401
