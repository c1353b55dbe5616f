"""Coding integers under tables: arrays in, bytes out. No torch here, and numba only once something is coded."""
