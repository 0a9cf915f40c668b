"""From rows to mixes: shards, engine, language identification, dedup, mining, mixes, report."""
