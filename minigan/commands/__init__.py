"""The commands of ``python -m minigan``, one a file: ``add`` declares its arguments, ``run`` does the work."""
