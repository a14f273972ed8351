"""`bench transfer`: how soon a search finds a fast config of a new shape, where others of the kernel are known."""
