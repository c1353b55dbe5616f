"""What runs: layers, latent codecs, entropy coding, streams and images."""
