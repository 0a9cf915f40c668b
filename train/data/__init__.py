"""From a mix to batches of token ids."""
