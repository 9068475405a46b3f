from pathlib import Path

import pytest

from keras_jtav.data.labels import classes_of, label_text


def rows(*labels):
    return [{"label": label} for label in labels]


@pytest.mark.parametrize(
    ("cell", "text"),
    [("1.0", "1"), ("0.00", "0"), (1.0, "1"), ("-1.0", "-1"), ("1.05", "1.05")],
)
def test_whole_numbers_lose_their_zeros(cell, text):
    assert label_text({"label": cell}) == text


def test_labels_that_differ_only_in_case_are_named():
    with pytest.raises(
        ValueError,
        match=r"a\.csv: `label` has 3 values.*'glad' \(1\)\. 'sad' and 'Sad' differ "
        r"only in case: write them alike\. Keep two",
    ):
        classes_of(Path("a.csv"), rows("sad", "sad", "Sad", "glad"))
    with pytest.raises(ValueError, match="one word: 'Sad' and 'sad' differ only"):
        classes_of(Path("a.csv"), rows("Sad", "sad"))
    with pytest.raises(ValueError, match=r"'sad' \(1\)\. Keep two"):
        classes_of(Path("a.csv"), rows("sad", "glad", "mad"))
