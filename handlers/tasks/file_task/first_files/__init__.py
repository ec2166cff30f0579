"""Task files that ``paperfleet task init`` writes: commented, and run as they stand."""
