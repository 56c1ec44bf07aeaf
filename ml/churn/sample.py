"""Which customers of the panel are read: all, or a seeded sample where a fit needs fewer rows."""

from dataclasses import dataclass

from ml.churn.params import Params
from warehouse import Warehouse

MATURE = "label_status = 'mature' and observation_complete"
_HASH_VALUES = 2**32


@dataclass(frozen=True)
class Drawn:
    """`share` of the customers, drawn by a hash of their id, from `rows_mature` rows of the panel."""

    rows_mature: int
    share: float
    condition: str

    def metadata(self) -> dict[str, float]:
        """What the model's metrics say of it."""
        return {"rows_mature": self.rows_mature, "share_of_customers": self.share}


def draw(wh: Warehouse, relation: str, params: Params) -> Drawn:
    """The sample that keeps about `max_rows` mature rows of `relation`; all of them where there are no more.

    Whole customers, so that folds by customer and snapshots of all dates stay comparable; by their id and the
    seed alone, so that both engines, and the next training, draw the same ones.
    """
    rows = wh.query(f"select count(*) as n from {relation} where {MATURE}").column("n")[0].as_py()
    if rows <= params.sample.max_rows:
        return Drawn(rows, 1.0, MATURE)
    share = params.sample.max_rows / rows
    bound = f"{int(share * _HASH_VALUES):08x}"
    # Eight hexadecimal digits sort like the number they write: md5 gives lower case on both engines.
    hashed = f"substr(md5(customer_id || '{params.seed}'), 1, 8)"
    return Drawn(rows, share, f"{MATURE} and {hashed} < '{bound}'")
