"""What pages share: the box canvas, thumbnails, caches, errors on screen. Imports Streamlit."""
