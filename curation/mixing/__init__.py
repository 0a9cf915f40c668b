"""Step `mix`: build training mixes from rows and the tables of the other steps. Only this step drops rows."""
