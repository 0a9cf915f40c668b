"""Step `mix`: samples and documents of one mix."""
