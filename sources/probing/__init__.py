"""Probing: checks the raw files of a source by their first records, before anything large is downloaded.

`places` locates the files at their origin, `ranged` reads byte ranges of them, `heads` writes a small file with the
first records of each, and `probe` runs these files through the readers, the shape and the checks.
"""
