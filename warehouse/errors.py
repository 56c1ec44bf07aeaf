"""The one error of the room: its message is meant for the user."""


class WarehouseError(Exception):
    """Something about the warehouse, its settings or a statement is wrong; the message says what to do."""
