"""Infrastructure for all other packages: errors, files, hashes, engine, progress, texts. It imports none of them."""
