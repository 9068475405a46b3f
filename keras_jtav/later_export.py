"""Export of a run that is complete: of one that JAX trained, or another time."""

from __future__ import annotations

import json
from pathlib import Path

from keras_jtav import console
from keras_jtav.config import Config
from keras_jtav.data.whole_file import write_text
from keras_jtav.model import build_model
from keras_jtav.pages import write_run_page
from keras_jtav.pages.run_page import FACTS_FILE
from keras_jtav.preparation import prepare
from keras_jtav.running import export_settings
from keras_jtav.serving.export import can_export, export_model
from keras_jtav.training import seed_everything
from keras_jtav.transfer import pretrained_pictures, train_phases


def export_run(folder: Path, exports_folder: Path) -> Path:
    """Export the best weights of a run; its ``metrics.json`` then names the model.

    Args:
        folder: What the run left behind. Its data must still be where it was.
        exports_folder: Where SavedModels are kept by task.

    Returns:
        The folder of the SavedModel.

    Raises:
        FileNotFoundError: A folder without the results of a complete run.
        ValueError: Another backend than TensorFlow, or a run on features in place of
            media.
    """
    if not can_export():
        raise ValueError(
            "Only TensorFlow writes SavedModels. Set KERAS_BACKEND=tensorflow for this "
            "command; the weights may come from JAX."
        )
    results = folder / "metrics.json"
    if not results.exists():
        raise FileNotFoundError(
            f"{folder} holds no metrics.json, so no run is complete there. Give a "
            "folder such as runs/sentiment-synthetic-001, or go on with --resume first."
        )
    saved = json.loads(results.read_text(encoding="utf-8"))
    trained = Config.load(folder / "config.json")
    config = trained.override(["train.strategy=single"])  # nothing is trained here
    seed_everything(config.train.seed)
    prepared = prepare(config, console.progress)
    if prepared.ready is not None:
        raise ValueError(
            f"{folder} was trained on features, and an export eats raw media. There is "
            "nothing to export."
        )
    models = build_model(config, prepared.spec, prepared.vocabulary.matrix)
    pictures = pretrained_pictures(models, prepared, console.progress)
    train_phases(config, models, prepared, pictures, folder, lambda *phase: [])
    exported = export_model(
        config.task,
        models,
        prepared.preprocessor,
        config.data,
        export_settings(trained, prepared, saved["settings"]),
        exports_folder / config.task,
    )
    write_text(results, json.dumps({**saved, "model": str(exported)}, indent=1))
    if (folder / FACTS_FILE).exists():  # runs of earlier versions have no page
        write_run_page(folder)
    return exported
