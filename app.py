"""The face-detection lab: ``streamlit run app.py``."""

import streamlit as st

from facedet.i18n import gettext as _
from facedet.ui import shell

shell.start()
st.navigation(
    {
        _("Use"): [
            st.Page(
                "pages/detect.py",
                title=_("Detect"),
                icon=":material/familiar_face_and_zone:",
                default=True,
            )
        ],
        _("Data"): [
            st.Page("pages/dataset.py", title=_("Dataset"), icon=":material/photo_library:"),
            st.Page("pages/cleaning.py", title=_("Cleaning"), icon=":material/cleaning_services:"),
        ],
    }
).run()
