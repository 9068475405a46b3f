"""What `read_all.py` imports, beside it: nothing here is collected as tests."""

collect_ignore_glob = ["*.py"]
