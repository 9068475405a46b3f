"""Small models for what is measured on a running service or page."""

import contextlib
import io


def train_quietly(config, folder):
    """Train and export as a config asks, without a word; return the model's folder."""
    from keras_jtav.running import run

    with (
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        result = run(config, folder / "runs", folder / "exported_models")
    return result.exported
