"""A paper with a body: asked by passages under one frame of terms, joined, judged as a whole."""
