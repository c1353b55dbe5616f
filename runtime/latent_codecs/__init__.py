"""How latents become bits: one module per latent codec of the language."""
