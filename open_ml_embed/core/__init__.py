"""What every other package stands on: errors, files, hashes, the engine, progress, texts. It imports none of them."""
