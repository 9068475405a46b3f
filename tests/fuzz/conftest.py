"""``run.py`` needs Atheris and is no test."""

collect_ignore = ["run.py"]
