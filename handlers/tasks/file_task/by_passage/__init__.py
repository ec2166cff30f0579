"""A long body asked about passage by passage."""
