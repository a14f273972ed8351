"""One file a page: each has `render`, a function of an address, the database and the theme."""
