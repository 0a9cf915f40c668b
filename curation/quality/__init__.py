"""Quality of texts: figures of every row, and thresholds that leave rows out of the mixes."""
