"""`ChoiceShopper`, a file a mechanism: `estimation` fits `parameters`, `estimation.pipeline` in order;
`reference` says in torch what happens at a visit, and `compiled` the same for a CPU. The equations are in
docs/model.md."""

from bundlegym.user_models.choice.model import ChoiceShopper

__all__ = ["ChoiceShopper"]
