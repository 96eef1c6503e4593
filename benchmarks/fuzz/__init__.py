"""Feeds damaged and invented files to the readers, and random calls to the ops: whatever comes, they answer with the
right value or with one clear error."""
