import dataclasses

from keras_jtav.preparation import load_table


def test_files_are_read_within_the_limits_of_the_training(
    finished_run, predictor, monkeypatch
):
    config, _ = finished_run
    assert predictor.data.max_image_pixels == config.data.max_image_pixels
    posts = [post for post in load_table(config).posts if not post.missing][:1]
    parts = ("image", "audio", "lyrics", "caption")
    assert predictor.call_on_posts("serving_default", posts, parts)[1] == []
    small = dataclasses.replace(predictor.data, max_file_bytes=10)
    monkeypatch.setattr(predictor, "data", small)
    _, faults = predictor.call_on_posts("serving_default", posts, parts)
    files = [str(posts[0].image), str(posts[0].audio)]
    assert [fault.file for fault in faults] == files
    assert all("raise `data.max_file_bytes`" in fault.reason for fault in faults)
