"""What the benchmarks measure against: the plain way of doing the same."""
