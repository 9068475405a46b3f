import pytest

from keras_jtav.data.missing_file import missing_reason

COMPOSED, APART = "\u00fc", "u\u0308"  # one letter, in Unicode's NFC and NFD


@pytest.mark.parametrize(("there", "named"), [(COMPOSED, APART), (APART, COMPOSED)])
@pytest.mark.parametrize("pattern", ["{}.png", "{}/a.png", "{0}/{0}/{0}.png"])
def test_a_name_in_the_other_form_is_said(tmp_path, there, named, pattern):
    folder = tmp_path / APART  # the table's own folder is no part of the fault
    file = folder / pattern.format(there)
    file.parent.mkdir(parents=True)
    file.touch()
    path = folder / pattern.format(named)
    assert not path.exists(), "this disk keeps the forms apart"
    assert "the other Unicode form (NFC or NFD): copy" in missing_reason(path)
    assert "is not there or not a file" in missing_reason(path.with_name("b.png"))


def test_a_relative_path_in_the_other_form_is_said(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / f"{COMPOSED}.png").touch()
    assert "the other Unicode form" in missing_reason(f"{APART}.png")


def test_a_backslash_is_said(tmp_path):
    reason = missing_reason(tmp_path / r"images\a.png")
    assert "is not there: write / in place of \\ in its path" in reason


@pytest.mark.parametrize("name", ["gone.png", "", "x" * 5_000, "x/" * 5_000])
def test_other_paths_are_to_be_mended(tmp_path, name):
    reason = missing_reason(str(tmp_path / name))
    assert reason == "is not there or not a file: mend the path or drop the row"


def test_what_is_there_and_cannot_be_read_is_not_said_to_have_another_name(tmp_path):
    for name in ("\u00fc.png", r"a\b.png"):
        (tmp_path / name).touch()
        assert "or not a file: mend" in missing_reason(tmp_path / name)
