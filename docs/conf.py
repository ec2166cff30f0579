"""Sphinx's configuration: Markdown in, one site out."""

from __future__ import annotations

project = "Paperfleet"
author = "The Paperfleet authors"
copyright = author  # noqa: A001 - Sphinx's name for it
extensions = ["myst_parser"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = "Paperfleet"
html_static_path = ["_static"]
html_css_files = ["site.css"]
myst_heading_anchors = 3
smartquotes = False  # flags begin with two dashes
