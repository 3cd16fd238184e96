"""A report as text. Each format is a pure function from a report to chunks of text, and needs no other."""
