BODY_VERSION = "1"
"""Of the scanner, the rules and the passages: other ones make other requests."""
