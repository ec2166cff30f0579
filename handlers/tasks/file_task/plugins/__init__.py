"""Checks of installed distributions, as far as somebody allows them: never by what a file says alone."""
