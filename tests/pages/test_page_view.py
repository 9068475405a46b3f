import html
import re

from keras_jtav.pages.page_view import PageView


def test_the_page_is_in_the_frame_as_it_is(tmp_path):
    page = '<p title="1 > 0">"so" & <b>glad</b></p>'
    (tmp_path / "page.html").write_text(page, encoding="utf-8")
    frame = PageView(tmp_path / "page.html", height=300)._repr_html_()
    assert html.unescape(re.search(r'srcdoc="([^"]*)"', frame)[1]) == page
    assert "height: 300px" in frame


def test_the_frame_runs_no_scripts(tmp_path):
    (tmp_path / "page.html").write_text("<script>alert(1)</script>")
    frame = PageView(tmp_path / "page.html")._repr_html_()
    assert re.match(r"<iframe sandbox ", frame), "without allow-scripts"
    assert "<script>" not in frame
