"""Face detectors behind one protocol, found by one catalogue, one file a family."""

from facedet.detectors.base import Detector, Entry
from facedet.detectors.catalogue import Catalogue, load_catalogue

__all__ = ["Catalogue", "Detector", "Entry", "load_catalogue"]
