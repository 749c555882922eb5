"""What every screen has around it: title and question, the workspace in the sidebar, errors."""

import re
import runpy
from typing import NoReturn

import streamlit as st

from facedet import i18n
from facedet.errors import FacedetError
from facedet.i18n import gettext as _
from facedet.settings import CHECKOUT, load_settings
from facedet.ui.assets import UI_DIR

_MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+\-.!|<>~$:])")


# In the session: whether `app.py` has run for it, see `heading`.
_STARTED = "shell.started"


def start() -> None:
    """Set up the window; call first in `app.py`."""
    st.session_state[_STARTED] = True
    i18n.use_language(_language)
    st.set_page_config(
        page_title=_("Face detection lab"),
        page_icon=str(UI_DIR / "icon.svg"),  # an icon by name would be fetched from the internet
        layout="wide",
    )
    _readable_buttons()
    try:
        home = load_settings().home
    except FacedetError as error:
        show_error(error)
        st.stop()
    with st.sidebar:
        st.markdown("**" + _("Face detection lab") + "**")
        st.caption(
            _("Workspace, the only folder that the lab writes to: {path}").format(
                path=plain(str(home))
            )
        )


def _readable_buttons() -> None:
    """The one thing that the theme's settings cannot say.

    Streamlit writes white on primary buttons and on tags, also on the light teal of the dark
    theme, which must be light to be read as a link on a dark page. And it writes so faintly on
    buttons that cannot be pressed that they cannot be read: theirs are more than 4 to 1 here.
    """
    dark = st.context.theme.type == "dark"
    button, tag = '[data-testid^="stBaseButton-primary"]', ".stMultiSelect [data-tag]"
    off = ", ".join(
        f'button[data-testid^="stBaseButton"]:disabled{inside}' for inside in ("", " p", " span")
    )
    rules = [f"{off} {{ color: {'#8A9396' if dark else '#6A7073'}; }}"]
    if dark:
        on = f"{button}:enabled, {button}:enabled p, {tag}, {tag} *"
        rules.append(f"{on} {{ color: #06211F; }}")
    st.html(f"<style>{' '.join(rules)}</style>")


def letters() -> str:
    """The colour of the page's letters, for charts whose words matter; Streamlit's are fainter."""
    return str(st.get_option(f"theme.{st.context.theme.type or 'light'}.textColor"))


def heading(title: str, question: str) -> None:
    """A screen's title, and the one question that it answers; the first call of each page."""
    if _STARTED not in st.session_state:
        _run_app_first()
    st.title(title, anchor=False)
    st.markdown(question)


def _run_app_first() -> NoReturn:
    """Show a visitor who came straight to a page the same page, but by way of `app.py`.

    Until `st.navigation` is called for the first time in a process, Streamlit runs the files of
    ``pages/`` by themselves: without the window's set-up, and with a menu made of file names.
    """
    runpy.run_path(str(CHECKOUT / "app.py"))
    st.stop()


def is_local_visitor() -> bool:
    """Whether the visitor sits at this computer: others have no business with its paths."""
    address = st.context.ip_address  # None for localhost
    return not isinstance(address, str) or address in ("127.0.0.1", "::1")


def show_error(error: FacedetError) -> None:
    """An error where it happened, in its own words."""
    st.error(plain(str(error)), icon=":material/error:")


def plain(text: str) -> str:
    """Text of strangers, safe in Markdown: every character means itself."""
    return _MARKDOWN.sub(r"\\\1", text)


def _language() -> str:
    return str(st.session_state.get("language", "en"))
