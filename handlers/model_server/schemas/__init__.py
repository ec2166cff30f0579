"""Answers of a form that a request describes."""
