"""One module for each version of the tables, oldest first. A released version is never edited."""
