"""The `[training]` table of an experiment, checked."""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import Field, field_validator

from mcusim.system.validation import Table, Unusable

MOST_EPOCHS = 100_000

Epochs = Annotated[int, Field(ge=1, le=MOST_EPOCHS, description=f"a whole number from 1 to {MOST_EPOCHS}")]
Fraction = Annotated[float, Field(ge=0, lt=1, description="a number from 0 to 1")]
RISING = "a rising list of epochs, such as [100, 200, 250]"


class TrainingSettings(Table):
    """Defaults are the MicroAI paper's for UCI-HAR (section 6.1.1), except epochs.

    The rate starts at `learning_rate` and is multiplied by `gamma` when `milestones` epochs are done. `weight_decay` is
    coupled, as PyTorch's SGD has it: `weight_decay * weight` is added to every gradient, biases included. `mixup` is
    the alpha of its Beta distribution, 0 is off. `validation` is the share of the training set held out to choose the
    best epoch.
    """

    SYNONYMS: ClassVar[Mapping[str, str]] = {
        **dict.fromkeys(("epoch", "n_epochs", "num_epochs"), "epochs"),
        **dict.fromkeys(("lr", "rate"), "learning_rate"),
        **dict.fromkeys(("batch", "batchsize"), "batch_size"),
        **dict.fromkeys(("decay", "l2", "wd"), "weight_decay"),
        **dict.fromkeys(("validation_split", "val_split"), "validation"),
    }

    epochs: Epochs = 30
    batch_size: Epochs = 64
    optimizer: Literal["sgd"] = "sgd"
    learning_rate: float = Field(default=0.05, gt=0, le=1000, description="a number from 0 to 1000")
    momentum: Fraction = 0.9
    weight_decay: Fraction = 5e-4
    milestones: tuple[Epochs, ...] = Field(default=(), strict=False, description=RISING)
    gamma: float = Field(default=0.13, gt=0, le=1, description="a number from 0 to 1")
    mixup: float = Field(default=0.0, ge=0, le=100, description="a number from 0 to 100")
    validation: float = Field(default=0.0, ge=0, le=0.5, description="a number from 0 to 0.5")

    @field_validator("milestones")
    @classmethod
    def _rise(cls, milestones: tuple[int, ...]) -> tuple[int, ...]:
        if list(milestones) != sorted(set(milestones)):
            raise Unusable(f"'milestones' is {list(milestones)}", f"give {RISING}")
        return milestones

    def rate(self, epoch: int) -> float:
        """Learning rate of epoch 0, 1, ..."""
        return self.learning_rate * self.gamma ** sum(epoch >= milestone for milestone in self.milestones)
