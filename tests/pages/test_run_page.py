import json
import re
import shutil

import numpy as np
import soundfile
from PIL import Image

from keras_jtav.cli import main
from keras_jtav.options import DataOptions
from keras_jtav.pages import write_run_page
from keras_jtav.pages.embedding import MAX_PIXELS, picture_uri, sound_uri


def text_of(page):
    return page.read_text(encoding="utf-8")


def test_a_run_leaves_a_page_with_all_that_it_shows(finished_run):
    config, result = finished_run
    page = text_of(result.folder / "report.html")
    for rows in result.metrics.values():
        for row, metrics in rows.items():
            assert row in page
            assert f"<td>{next(iter(metrics.values())):.3f}</td>" in page
    for table in re.findall(r"<table>.*?</table>", page, re.S):
        rows = re.findall(r"<tr.*?</tr>", table, re.S)
        assert len({len(re.findall("<t[dh]>", row)) for row in rows}) == 1
    assert page.count("<svg") == 2
    assert page.count('<img src="data:image/jpeg;base64,') >= 1
    assert page.count('src="data:audio/mpeg;base64,') >= 1
    assert "Hardest mistakes" in page
    if config.task == "retrieval":
        assert page.count('class="true"') == len(
            [1 for group in examples(result) for _ in group["shown"]]
        )


def test_a_page_needs_nothing_from_outside(finished_run):
    page = text_of(finished_run[1].folder / "report.html")
    assert set(re.findall(r'(?:src|href)="([a-z]*:?)', page)) <= {"data:", ""}
    assert "<script" not in page
    assert "@import" not in page


def examples(result):
    return json.loads((result.folder / "page.json").read_text())["examples"]


def test_report_draws_the_same_page_again(finished_run, tmp_path, capsys):
    folder = tmp_path / finished_run[1].folder.name
    shutil.copytree(finished_run[1].folder, folder)
    before = text_of(folder / "report.html")
    (folder / "report.html").unlink()
    assert main(["report", str(folder)]) == 0
    assert capsys.readouterr().out.strip() == str(folder / "report.html")
    assert text_of(folder / "report.html") == before


def test_texts_are_shown_as_they_are_and_lost_media_left_out(finished_run, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(finished_run[1].folder, folder)
    facts = json.loads((folder / "page.json").read_text())
    shown = facts["examples"][0]["shown"][0]
    shown["caption"] = "<script>alert(1)</script> & да"
    shown["image"] = str(tmp_path / "gone.png")
    (folder / "page.json").write_text(json.dumps(facts))
    page = text_of(write_run_page(folder))
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &amp; да" in page
    assert "<script" not in page
    assert f"The picture is no longer at {tmp_path / 'gone.png'}." in page


def test_a_page_shows_what_the_limits_of_its_run_allow(finished_run, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(finished_run[1].folder, folder)
    Image.new("L", (7100, 7100), 90).save(tmp_path / "large.png")
    facts = json.loads((folder / "page.json").read_text())
    facts["examples"][0]["shown"][0]["image"] = str(tmp_path / "large.png")
    (folder / "page.json").write_text(json.dumps(facts))
    lost = f"The picture is no longer at {tmp_path / 'large.png'}."
    assert lost in text_of(write_run_page(folder))
    config = json.loads((folder / "config.json").read_text())
    config["data"]["max_image_pixels"] = 7100 * 7100
    (folder / "config.json").write_text(json.dumps(config))
    assert lost not in text_of(write_run_page(folder))


def test_recordings_are_shown_within_the_limits(tmp_path):
    noise = np.random.default_rng(0).normal(0, 0.1, 22050)
    soundfile.write(tmp_path / "a.wav", noise, 22050)
    size = (tmp_path / "a.wav").stat().st_size
    assert sound_uri(tmp_path / "a.wav", DataOptions(max_file_bytes=size))
    assert not sound_uri(tmp_path / "a.wav", DataOptions(max_file_bytes=size - 1))


def test_pictures_are_shrunk_and_recordings_shortened(tmp_path):
    Image.new("RGB", (4000, 3000), "red").save(tmp_path / "large.png")
    noise = np.random.default_rng(0).normal(0, 0.1, 22050 * 60)
    soundfile.write(tmp_path / "long.wav", noise, 22050)
    assert len(picture_uri(tmp_path / "large.png")) < 10 * MAX_PIXELS**2 / 100
    assert len(sound_uri(tmp_path / "long.wav")) < 800_000
    (tmp_path / "broken.wav").write_bytes(b"RIFF")
    assert sound_uri(tmp_path / "broken.wav") == ""


def test_a_recording_with_nothing_in_it_has_no_player(tmp_path):
    soundfile.write(tmp_path / "empty.wav", np.zeros(0, "float32"), 22050)
    assert sound_uri(tmp_path / "empty.wav") == ""
