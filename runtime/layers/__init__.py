"""The layers of transforms that torch and CompressAI do not have."""
