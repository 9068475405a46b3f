"""The page in a real browser; `make test-web` runs this in its own environment."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from keras_jtav.data.manifest import write_manifest
from keras_jtav.data.pairs import first_rows_of_songs, unify_songs
from keras_jtav.preparation import load_table

pytest.importorskip("gradio")
selenium = pytest.importorskip("selenium")

from selenium import webdriver  # noqa: E402
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.support.ui import WebDriverWait  # noqa: E402

PATIENCE_SECONDS = 90
SHOTS = Path(os.environ.get("KERAS_JTAV_SHOTS", "runs/screenshots"))


@pytest.fixture(scope="module")
def browser():
    program, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if program is None or driver is None:
        pytest.skip("chromium and chromedriver are not installed")
    options = webdriver.ChromeOptions()
    options.binary_location = program
    for flag in ("headless", "no-sandbox", "disable-gpu", "window-size=1200,1400"):
        options.add_argument(f"--{flag}")
    service = webdriver.ChromeService(driver)
    with webdriver.Chrome(options, service) as browser:
        yield browser


@pytest.fixture
def page(finished_run, tmp_path, unused_port):
    """Start the page of a model; return its address and a post to ask about."""
    config, result = finished_run
    posts = load_table(config).posts
    words = [sys.executable, "-m", "keras_jtav", "demo", str(result.exported)]
    if config.task == "retrieval":
        posts = unify_songs(posts)
        songs = [posts[row] for row in first_rows_of_songs(posts)]
        write_manifest(songs, tmp_path / "songs.csv")
        words += ["--songs", str(tmp_path / "songs.csv"), "--outside"]
    with open(tmp_path / "log", "wb") as log:
        process = subprocess.Popen(
            [*words, "--port", str(unused_port)], stdout=log, stderr=log
        )
    yield f"http://127.0.0.1:{unused_port}", next(p for p in posts if not p.missing)
    process.terminate()
    process.wait(10)


@pytest.fixture
def unused_port():
    import socket

    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def test_a_picture_is_dropped_and_an_answer_read(finished_run, page, browser):
    address, post = page
    wait = WebDriverWait(browser, PATIENCE_SECONDS)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            browser.get(address)
            break
        except Exception:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.5)
    upload = wait.until(
        lambda b: b.find_element(By.CSS_SELECTOR, "input[type=file][accept*=image]")
    )
    upload.send_keys(str(post.image))
    wait.until(lambda b: b.find_elements(By.CSS_SELECTOR, "img[alt]"))
    caption = browser.find_element(By.CSS_SELECTOR, "textarea, input[type=text]")
    caption.send_keys("so happy")
    browser.find_element(By.ID, "ask").click()
    frame = wait.until(lambda b: b.find_element(By.CSS_SELECTOR, "#answer iframe"))
    browser.switch_to.frame(frame)
    if finished_run[0].task == "retrieval":
        songs = browser.find_elements(By.CSS_SELECTOR, "ol.songs > li")
        assert len(songs) == 10
        assert browser.find_elements(By.TAG_NAME, "audio")
    else:
        label = browser.find_element(By.ID, "label").text
        assert label in ("negative", "positive")
        bars = browser.find_elements(By.CSS_SELECTOR, ".bars dt")
        assert [bar.text for bar in bars] == ["text", "audio", "image"]
    browser.switch_to.default_content()
    SHOTS.mkdir(parents=True, exist_ok=True)
    assert browser.save_screenshot(str(SHOTS / f"{finished_run[0].task}.png"))
