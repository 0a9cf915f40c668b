"""Probing: what the raw files of a source are like, told by their heads, before anything large is downloaded.

`places` finds the files where the origin has them, `ranged` reads byte ranges of them, `heads` makes a small file of
the first records of each, and `probe` runs these through the readers, the shape and the checks.
"""
