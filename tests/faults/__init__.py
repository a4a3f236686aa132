"""The fault table: recipes of files that are wrong, and exactly which faults each must give."""
