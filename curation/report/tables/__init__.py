"""The tables of the report: their forms (names, columns, types, documentation), and what fills them from a build."""
