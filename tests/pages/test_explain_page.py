import pytest
from PIL import Image

from keras_jtav.attribution import Explanation
from keras_jtav.data.post import Post
from keras_jtav.options import DataOptions
from keras_jtav.pages import write_explanation


@pytest.mark.parametrize(("max_pixels", "pictures"), [(400, 2), (399, 0)])
def test_pictures_are_shown_within_the_limits(tmp_path, max_pixels, pictures):
    Image.new("RGB", (20, 20), "red").save(tmp_path / "a.png")
    post = Post("a", image=tmp_path / "a.png")
    explanation = Explanation(
        task="sentiment",
        id="a",
        song="",
        class_names=("sad", "glad"),
        answer="glad",
        logit=1.0,
        absent_logit=0.0,
        parts={"image": 1.0},
        words=[],
        sound=None,
        picture=[[0.0, 1.0]],
        faults=[],
    )
    data = DataOptions(max_image_pixels=max_pixels)
    page, _ = write_explanation(explanation, post, tmp_path / "out", data)
    assert page.read_text(encoding="utf-8").count("<img") == pictures
