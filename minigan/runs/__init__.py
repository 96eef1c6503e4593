"""A run as a folder on the disk: run.py is the loop around a trainer, the others are what it writes and reads.

looks.py draws the pictures; journal.py is metrics.jsonl, resume.py the checkpoints and the ways back; best.py is
the best generator so far, folder.py says whose the folder is; curves.py, and report.py with charts.py, draw what
happened.
"""

from .folder import claim_folder, lock_folder
from .journal import read_journal
from .looks import Edits, Exchanges, Latents, Looks, Pairs
from .run import Run

__all__ = ["Edits", "Exchanges", "Latents", "Looks", "Pairs", "Run", "claim_folder", "lock_folder", "read_journal"]
