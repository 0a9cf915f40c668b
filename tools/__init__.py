"""What makes files of this project, and is not part of the installed package."""
