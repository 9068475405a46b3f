"""Self-contained HTML: pages that open from the file system, without a network."""

from keras_jtav.pages.explain_page import write_explanation
from keras_jtav.pages.run_page import write_run_page

__all__ = ["write_explanation", "write_run_page"]
