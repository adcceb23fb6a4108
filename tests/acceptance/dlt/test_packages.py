"""What a kill leaves in dlt's own folders does not stop the runs that follow."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from .shop import first_shop, mapping, put_order

if TYPE_CHECKING:
    from .conftest import Delivery


@pytest.mark.parametrize("whole", [True, False])
def test_package_killed_between_two_of_dlt_s_folders_is_delivered(
    delivery: Delivery, whole: bool
) -> None:
    """dlt puts a normalized package in place, then deletes the extracted one."""
    delivery.settings["mapping"] = mapping("nested")
    shop = first_shop()
    delivery.run(shop.source("nested", "merge"))
    put_order(shop, 2, total=7)
    pipeline = delivery.pipeline()
    pipeline.extract(shop.source("nested", "merge"))
    (load_id,) = pipeline.list_extracted_load_packages()
    extracted = Path(pipeline.working_dir, "normalize", "extracted", load_id)
    kept = delivery.here / "kept"
    shutil.copytree(extracted, kept)
    pipeline.normalize()
    shutil.copytree(kept, extracted)
    if not whole:
        shutil.rmtree(extracted / "new_jobs")  # killed while it was being deleted

    delivery.run()
    assert delivery.held() == shop.expected()
    put_order(shop, 1, total=99)
    delivery.run(shop.source("nested", "merge"))
    assert delivery.held() == shop.expected()
