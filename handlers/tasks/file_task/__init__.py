"""A task that a TOML file states: what is asked about each record, and what judges the answers."""
