"""Feeds damaged and invented files to the readers: whatever comes, they answer with a value or with one InputError."""
