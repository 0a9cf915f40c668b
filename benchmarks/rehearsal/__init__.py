"""The whole corpus in small: every source and subset from made-up raw files to both mixes, measured and checked."""
