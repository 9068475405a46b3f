"""The page itself, by Gradio, on this machine only."""

from __future__ import annotations

import html
import os
from pathlib import Path

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")  # it would call home

import gradio as gr

from keras_jtav import console
from keras_jtav.demo.answers import SentimentAnswers, SongAnswers
from keras_jtav.serving.predictor import Predictor

FRAME_PIXELS = 900


def build_app(model: Path, songs: Path | None, outside: bool = False) -> gr.Blocks:
    """Return the page of a model.

    Args:
        model: An exported model's folder.
        songs: Retrieval: table with a row for each song.
        outside: Whether the table may name files outside of its folder.

    Raises:
        ValueError: A retrieval model without songs.
    """
    predictor = Predictor(model)
    if predictor.task == "retrieval" and songs is None:
        raise ValueError(
            f"A retrieval model needs songs: keras-jtav demo {model} --songs songs.csv"
        )
    font = ["system-ui", "sans-serif"]  # no font of others is fetched
    theme = gr.themes.Default(font=font, font_mono=["monospace"])
    title = f"keras_jtav: {predictor.task}"
    with gr.Blocks(title=title, analytics_enabled=False) as app:
        gr.Markdown(f"# {title}")
        with gr.Row():
            with gr.Column(scale=1):
                image = gr.Image(type="filepath", label="picture", sources=["upload"])
                caption = gr.Textbox(label="caption", max_length=10_000)
                if predictor.task == "sentiment":
                    audio = gr.Audio(type="filepath", label="recording")
                    lyrics = gr.Textbox(label="lyrics", lines=6, max_length=100_000)
                    inputs = [image, audio, lyrics, caption]
                    answer = SentimentAnswers(predictor).answer
                else:
                    inputs = [image, caption]
                    answers = SongAnswers(predictor, songs, console.progress, outside)
                    answer = answers.answer
                button = gr.Button("ask", variant="primary", elem_id="ask")
            with gr.Column(scale=2):
                output = gr.HTML(elem_id="answer")
        button.click(
            lambda *values: _framed(answer(*values)), inputs, output, api_name="ask"
        )
    app.theme = theme
    return app


def serve(model: Path, songs: Path | None, port: int, outside: bool = False) -> None:
    """Show the page on loopback until it is interrupted."""
    app = build_app(model, songs, outside)
    console.say(f"http://127.0.0.1:{port}    (Ctrl-C ends)")
    app.launch(server_name="127.0.0.1", server_port=port, share=False, quiet=True)


def _framed(page: str) -> str:
    """Return a page in a frame, so that its style and the app's do not mix."""
    return (
        f'<iframe title="answer" style="width: 100%; height: {FRAME_PIXELS}px; '
        f'border: 0" sandbox="" srcdoc="{html.escape(page, quote=True)}"></iframe>'
    )
