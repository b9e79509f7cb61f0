"""The command line of lmwire. Needs the extra ``cli``: ``pip install 'lmwire[cli]'``."""
