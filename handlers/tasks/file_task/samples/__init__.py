"""Several answers to one record: what most of them say."""
