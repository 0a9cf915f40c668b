"""What several raw fixtures build alike."""
