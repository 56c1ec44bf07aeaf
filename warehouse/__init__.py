"""The only door to the engine: Arrow in, Arrow out, run schemas, publication.

Importing this package loads no driver; `open_warehouse` does when it is called.
"""

from warehouse.connections import dbt_environment
from warehouse.door import Warehouse, open_warehouse
from warehouse.errors import WarehouseError
from warehouse.settings import Settings

__all__ = [
    "Settings",
    "Warehouse",
    "WarehouseError",
    "dbt_environment",
    "open_warehouse",
]
