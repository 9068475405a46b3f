import pytest

from keras_jtav.data.any_path import (
    file_digest,
    make_folder,
    names_in,
    num_bytes,
    read_text,
    remove,
    write_text,
    written_aside,
)


@pytest.fixture(params=["local", "ram"])
def folder(request, tmp_path):
    """A folder on this disk, and one of another file system of TensorFlow."""
    return str(tmp_path) if request.param == "local" else f"ram://{tmp_path.name}"


def test_a_text_comes_back(folder):
    path = f"{folder}/deep/a.txt"
    make_folder(f"{folder}/deep")
    for text in ("la", "ça va\n"):
        write_text(path, text)
        assert read_text(path) == text
    assert names_in(f"{folder}/deep") == ["a.txt"]
    assert num_bytes(path) == 7
    remove(path)
    remove(path)
    assert names_in(f"{folder}/deep") == []


def test_the_digest_is_that_of_sha256(folder):
    make_folder(folder)
    write_text(f"{folder}/a.txt", "abc")  # FIPS 180-2, appendix B.1
    assert file_digest(f"{folder}/a.txt").startswith("ba7816bf8f01cfea")


def test_an_error_leaves_the_old_file_and_nothing_aside(folder):
    make_folder(folder)
    path = f"{folder}/a.txt"
    write_text(path, "old")

    def fail():
        with written_aside(path) as aside:
            write_text(aside, "half")
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert read_text(path) == "old"
    assert names_in(folder) == ["a.txt"]


def test_what_is_not_there_is_named(folder):
    with pytest.raises(FileNotFoundError, match=r"There is no .*none\.txt"):
        read_text(f"{folder}/none.txt")
    assert names_in(f"{folder}/none") == []


def test_an_unknown_kind_of_path_is_an_os_error():
    with pytest.raises(OSError, match=r"moon://bucket/a\.txt cannot be used"):
        write_text("moon://bucket/a.txt", "la")
