"""Vectors of texts, by the embeddings API."""
