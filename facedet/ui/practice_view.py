"""What a practice set is made of: some of its photos, and what is wrong with its lines."""

import shlex
from pathlib import Path

import pandas as pd
import streamlit as st

from facedet.draw import draw_truth
from facedet.i18n import gettext as _
from facedet.images import fit, read
from facedet.practice.truth import count_faults, read_truth, some_pictures
from facedet.ui import look, thumbnails

SHOWN = 12
SHOWN_PX = 200


def show(folder: Path) -> None:
    """A strip of photos, and a table of the faults. Raises `PracticeError`."""
    version = (folder / "truth.csv").stat().st_mtime
    tiles = [
        thumbnails.Tile(id=str(n), title=title, src=src)
        for n, (title, src) in enumerate(_pictures(str(folder), version))
    ]
    label = _("Some of its photos, with the true faces")
    st.caption(label)
    thumbnails.show("dataset.practice", label, tiles, tile_px=96)
    with st.expander(_("What is wrong with which lines")):
        st.markdown(
            _(
                "Each line has one fault at most, and truth.csv beside the list says which. So "
                "what a downloader or a cleaner says can be checked."
            )
        )
        rows = count_faults(read_truth(folder))
        table = pd.DataFrame(rows, columns=[_("fault"), _("meaning"), _("lines")])
        st.dataframe(table, hide_index=True, alt=_("How many lines have which fault"))

    with st.expander(_("Serve its little internet")):
        st.markdown(
            _(
                "The links lead to sites on this computer. This command is their server; leave it "
                "running while you download. It needs no network."
            )
        )
        command = ["python", "-m", "facedet", "practice", str(folder), "--serve"]
        st.code(shlex.join(command), language="bash", wrap_lines=True)


@st.cache_data(max_entries=8, show_spinner=False)
def _pictures(folder: str, version: float) -> list[tuple[str, str]]:
    return [
        (
            row.identity.replace("_", " "),
            look.data_url(fit(draw_truth(read(path).pixels, row.true_boxes_xyxy), SHOWN_PX)),
        )
        for row, path in some_pictures(Path(folder), SHOWN)
    ]
