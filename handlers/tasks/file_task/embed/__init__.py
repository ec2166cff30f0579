"""Task files whose answers are vectors of what the prompt shows of a record."""
