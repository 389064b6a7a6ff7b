"""What a page shows, in Spanish: figures, tables, a notebook's parameters, the networks of the live page."""
