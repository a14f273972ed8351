"""`bench kernels`: every kernel of the library in every direction, beside what else computes the same."""
