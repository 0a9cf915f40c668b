"""Tables that one step writes and other steps read: their schemas and readers. Imports no step."""
