"""The pages that are made from the code when the site is built: `docs/conf.py` asks for them, a file for each kind."""
