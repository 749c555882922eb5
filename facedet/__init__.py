"""The core of the face-detection lab: everything that a page or a command does is done here.

Nothing in this package but ``facedet.ui`` imports Streamlit, and importing it loads no torch.
"""

__version__ = "0.1.0"
