"""What one step leaves for another: tables with a schema, and how they are read. No step is needed to read them."""
