from pathlib import Path

import pytest

from facedet.errors import UsageError
from facedet.settings import CHECKOUT, load_settings


def test_the_workspace_lies_in_the_checkout_unless_said_otherwise() -> None:
    assert load_settings({}).home == CHECKOUT / "workspace"
    assert load_settings({"FACEDET_HOME": "/somewhere"}).home == Path("/somewhere")


def test_loading_settings_writes_nothing(home: Path) -> None:
    load_settings()
    assert not home.exists()


@pytest.mark.parametrize("value", ["lots", "-1", "0", "nan", "inf"])
def test_a_limit_that_is_no_number_is_named(value: str) -> None:
    with pytest.raises(UsageError, match="FACEDET_MAX_MEGAPIXELS"):
        load_settings({"FACEDET_MAX_MEGAPIXELS": value})


def test_more_models_can_lie_elsewhere() -> None:
    dirs = load_settings({"FACEDET_MODELS": "/more"}).models_dirs
    assert dirs == (CHECKOUT / "models", Path("/more"))
