"""What a spec may say: Pydantic models, YAML with line numbers, expressions, errors. No torch."""
