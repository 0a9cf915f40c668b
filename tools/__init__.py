"""Tools that generate files of this project; they are not part of the installed package."""
