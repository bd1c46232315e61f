"""Measures what matters against a peer in the same run: `python -m benchmarks [name ...]`.

One line per benchmark: `name: ours=… peer=… ratio=…`; above 1 means that ours is faster. Ours and the peer take
turns, on the same engines and rows, and the median of the rounds counts. The peers live in `benchmarks/baselines`.
"""
