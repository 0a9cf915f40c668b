"""Step `mix`: write the samples and documents of one mix."""
