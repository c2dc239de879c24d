"""Pages about one's webhook endpoints. Another person's do not exist: 404."""
