"""An answer: read, put right, held to its schema, checked."""
