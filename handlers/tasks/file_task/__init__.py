"""A task that a TOML file states: what is asked of the model about each record, and what judges its answers."""
