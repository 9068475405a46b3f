import pytest
from PIL import Image

from keras_jtav.cli import main
from keras_jtav.data.manifest import read_manifest


@pytest.fixture
def folder(tmp_path):
    for name in ("glad", "sad"):
        (tmp_path / name).mkdir()
        for number in range(3):
            Image.new("RGB", (8, 8)).save(tmp_path / name / f"{number}.png")
            (tmp_path / name / f"{number}.txt").write_text(f"so {name} {number}")
    (tmp_path / "glad" / "readme.md").write_text("?")
    return tmp_path


def test_a_folder_becomes_a_table_beside_its_files(folder, capsys):
    assert main(["manifest", str(folder), "--folders-are", "classes"]) == 0
    output = capsys.readouterr().out
    assert f"6 posts in {folder / 'posts.csv'}" in output
    assert "6 with lyrics" in output
    assert "0 with audio" in output
    assert "left out: 1" in output
    assert "readme.md: is no picture" in output
    found = read_manifest(folder / "posts.csv")
    assert [post.label for post in found.posts] == [0, 0, 0, 1, 1, 1]
    assert found.posts[0].image == folder / "glad" / "0.png"


def test_the_table_may_lie_elsewhere(folder, tmp_path, capsys):
    out = tmp_path / "tables" / "posts.jsonl"
    assert main(["manifest", str(folder / "glad"), "--out", str(out)]) == 0
    assert "read it with --outside" in capsys.readouterr().out
    assert len(read_manifest(out).rejections) == 3
    posts = read_manifest(out, outside=True).posts
    assert [post.id for post in posts] == ["0", "1", "2"]
    assert posts[0].image.is_file()


def test_many_things_left_out_are_shortened(folder, capsys):
    for number in range(30):
        (folder / "glad" / f"{number}.zip").touch()
    assert main(["manifest", str(folder), "--folders-are", "classes"]) == 0
    assert "... and 11 more" in capsys.readouterr().out


def test_no_folder_is_1(tmp_path, capsys):
    assert main(["manifest", str(tmp_path / "gone")]) == 1
    assert "There is no folder" in capsys.readouterr().err
