"""Dataset: what is in VGG Face, and which part of it do you want?"""

import streamlit as st

from facedet.errors import FacedetError
from facedet.i18n import gettext as _
from facedet.linklists import LinkList
from facedet.ui import (
    download_view,
    line_explainer,
    lists_view,
    practice_view,
    sample_view,
    shell,
    statistics_view,
)


def page() -> None:
    shell.heading(_("Dataset"), _("What is in VGG Face, and which part of it do you want?"))
    try:
        chosen = lists_view.choose()
        lists_view.show_error_of_start()
        if chosen is None:
            explain(expanded=True)
            download_view.show()
        elif chosen.ready:
            explain(expanded=False)
            explore(chosen)
            download_view.show()
        else:
            lists_view.show_progress(chosen)
            explain(expanded=True)
    except FacedetError as error:
        shell.show_error(error)


def explain(*, expanded: bool) -> None:
    with st.expander(_("What VGG Face is"), expanded=expanded):
        st.markdown(
            _(
                "In 2015 the Visual Geometry Group in Oxford published a list of links: "
                "2.6 million photos of 2,622 celebrities, found by search engines, each with the "
                "place of one face. Not the photos themselves: they belong to others. "
                "A network trained on them recognised faces as well as any then."
            )
        )
        st.markdown(
            _(
                "Each line labels **one** face, the celebrity's. Others in the photo have no "
                "label. The boxes come from a detector and are square. About half of the "
                "links are dead, and some sites show another picture now. That is what "
                "downloading and cleaning are about."
            )
        )
        line_explainer.show("dataset.line")
        st.caption(
            _(
                "The line is real; the photo that it speaks of belongs to others. In its place: "
                "Grace Hopper, computer scientist (US Navy, public domain)."
            )
        )
        st.caption(
            _(
                "O. M. Parkhi, A. Vedaldi, A. Zisserman: Deep Face Recognition. BMVC 2015. "
                "Licence: CC BY-NC 4.0, for research and teaching."
            )
        )


def explore(chosen: LinkList) -> None:
    index = lists_view.index_of(chosen)
    st.header(lists_view.title(chosen), anchor=False)
    lists_view.account_line(chosen, index)
    if chosen.kind == "practice":
        practice_view.show(chosen.practice_dir)
    # On a phone the first column comes first: filters must be seen before what they act on.
    controls, charts = st.columns([1, 2.6], gap="large")
    with controls:
        filters = statistics_view.choose_filters(index)
    with charts:
        statistics_view.show(index, filters)
    sample_view.show(chosen, index, filters)


page()
