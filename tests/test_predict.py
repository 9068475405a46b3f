import pytest

from keras_jtav.predict import read_posts, read_songs, song_name


def write(folder, *lines, name="songs.csv"):
    path = folder / name
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_a_row_without_a_song_leaves_the_others_grouped(tmp_path):
    rows = ("blue,I walk", "blue,I walk on", ",nameless", "red,", "red,I run")
    songs = read_songs(
        write(tmp_path, "song,lyrics,caption", *(f"{r},c" for r in rows))
    )
    lyrics = {song_name(song): song.texts["lyrics"] for song in songs}
    assert lyrics == {"blue": "I walk", "row-3": "nameless", "red": "I run"}
    assert len(songs) == 3


@pytest.mark.parametrize(
    "rows", [("blue,,la", "p2,blue,li"), ("p2,blue,li", "blue,,la")]
)
def test_an_id_that_is_the_song_of_another_row_is_refused(tmp_path, rows):
    table = write(tmp_path, "id,song,lyrics", *rows)
    with pytest.raises(
        ValueError,
        match=r"songs\.csv: the row 'blue' names no song, and its id is the song of "
        r"the row 'p2'\. Fill its `song`, or change its id\.",
    ):
        read_songs(table)


def test_columns_that_are_not_used_stop_nothing(tmp_path):
    rows = ("blue,I walk,Apple,val", "red,I run,Motown,dev", "sky,I fly,Blue Note,x")
    table = write(tmp_path, "song,lyrics,label,split", *rows)
    assert [song_name(song) for song in read_songs(table)] == ["blue", "red", "sky"]
    assert len(read_posts(table)) == 3
