"""The `[training]` table of an experiment, checked."""

import math
from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from mcusim.system.validation import Table, Unusable

MOST_EPOCHS = 100_000
MOST_STEPS = 100

Epochs = Annotated[int, Field(ge=1, le=MOST_EPOCHS, description=f"a whole number from 1 to {MOST_EPOCHS}")]
Fraction = Annotated[float, Field(ge=0, lt=1, description="a number from 0 to 1")]
Pixels = Annotated[int, Field(ge=0, le=4096, description="a whole number from 0 to 4096")]
Amount = Annotated[float, Field(ge=0, le=100, description="a number from 0 to 100")]
WARM_UP = 0.3  # share of a one-cycle schedule in which the rate rises (Smith and Topin, 2017)
WARM_UP_FROM = 1 / 25  # of the largest rate
OF_EPOCHS: Mapping[str, str] = {
    **dict.fromkeys(("epoch", "n_epochs", "num_epochs"), "epochs"),
    **dict.fromkeys(("lr", "rate"), "learning_rate"),
}
RANGE_RATE = 0.01  # octaves that a range moves in a step, about: Adam's rate (TQT, Jain et al., 2020)
RISING = "a rising list of epochs, such as [100, 200, 250]"


class AwareSettings(Table):
    """[training.quantization]: more epochs, in which the network is that of integers (section 4.3 of the paper).

    Rates fall from `learning_rate`, and from `range_rate` of the ranges, to 0 along half a wave. `labels`: their share
    in what answers should be; the rest is what the network of reals answered before. `equalize`: as in
    [[quantization]]. All else is as in [training].
    """

    SYNONYMS: ClassVar[Mapping[str, str]] = {**OF_EPOCHS, **dict.fromkeys(("dtype", "type"), "data_type")}

    data_type: str = Field(max_length=100, description='a data type of integers, for example "int8"')
    scheme: Literal["per-layer", "per-channel", "per-tensor"] | None = None
    epochs: Epochs = 5
    learning_rate: float = Field(default=0.003, gt=0, le=1000, description="a number from 0 to 1000")
    range_rate: float = Field(default=RANGE_RATE, ge=0, le=1, description="a number from 0 to 1")
    labels: float = Field(default=1.0, ge=0, le=1, description="a number from 0 to 1")
    equalize: bool = Field(default=False, description="true or false")


class TuningSettings(Table):
    """[approximation.tuning]: epochs by which what is left of a network learns to answer as the exact one does.

    By Adam, whose rate falls from `learning_rate` to 0 along half a wave; batches, augmentation and what is held out
    are as in [training]. `steps`: channels are skipped in so many steps, with these epochs behind each.
    """

    SYNONYMS: ClassVar[Mapping[str, str]] = {**OF_EPOCHS, **dict.fromkeys(("iterations", "rounds", "stages"), "steps")}

    epochs: Epochs = 8
    steps: int = Field(default=1, ge=1, le=MOST_STEPS, description=f"a whole number from 1 to {MOST_STEPS}")
    learning_rate: float = Field(default=0.001, gt=0, le=1000, description="a number from 0 to 1000")
    labels: Fraction = 0.0

    @property
    def label(self) -> str:
        mixed = f", labels {self.labels:g}" if self.labels else ""
        each = f"{self.steps} steps of " if self.steps > 1 else ""
        return f"{each}{self.epochs} epochs from {self.learning_rate:g}{mixed}"


class TrainingSettings(Table):
    """Defaults are the MicroAI paper's for UCI-HAR (section 6.1.1), except epochs.

    `schedule`: the rate starts at `learning_rate` and is multiplied by `gamma` when `milestones` epochs are done
    (step), falls to 0 along half a wave (cosine), or rises to `learning_rate` first (one-cycle). `weight_decay` is
    coupled for SGD, as PyTorch has it: `weight_decay * weight` is added to every gradient, biases included; for Adam
    it is decoupled (AdamW). `mixup` is the alpha of its Beta distribution; `shift` and `cutout` are pixels or steps,
    `noise` is a standard deviation, all of samples as the network sees them; 0 is off. `validation` is the share of
    training samples held out to choose the best epoch; after `patience` epochs without a better one training ends.
    """

    SYNONYMS: ClassVar[Mapping[str, str]] = {
        **OF_EPOCHS,
        **dict.fromkeys(("batch", "batchsize"), "batch_size"),
        **dict.fromkeys(("decay", "l2", "wd"), "weight_decay"),
        **dict.fromkeys(("validation_split", "val_split"), "validation"),
    }

    epochs: Epochs = 30
    batch_size: Epochs = 64
    optimizer: Literal["sgd", "adam"] = "sgd"
    learning_rate: float = Field(default=0.05, gt=0, le=1000, description="a number from 0 to 1000")
    momentum: Fraction = 0.9
    weight_decay: Fraction = 5e-4
    schedule: Literal["step", "cosine", "one-cycle"] = "step"
    milestones: tuple[Epochs, ...] = Field(default=(), strict=False, description=RISING)
    gamma: float = Field(default=0.13, gt=0, le=1, description="a number from 0 to 1")
    mixup: Amount = 0.0
    flip: bool = Field(default=False, description="true or false")
    shift: Pixels = 0
    cutout: Pixels = 0
    noise: Amount = 0.0
    validation: float = Field(default=0.0, ge=0, le=0.5, description="a number from 0 to 0.5")
    quantization: AwareSettings | None = Field(default=None, description="a table: [training.quantization]")
    patience: Annotated[int, Field(ge=0, le=MOST_EPOCHS, description=f"a whole number from 0 to {MOST_EPOCHS}")] = 0

    @field_validator("milestones")
    @classmethod
    def _rise(cls, milestones: tuple[int, ...]) -> tuple[int, ...]:
        if list(milestones) != sorted(set(milestones)):
            raise Unusable(f"'milestones' is {list(milestones)}", f"give {RISING}")
        return milestones

    @model_validator(mode="after")
    def _fit_together(self) -> "TrainingSettings":
        if self.milestones and self.schedule != "step":
            raise Unusable(f"'milestones' are of schedule 'step', not {self.schedule!r}", "leave them out")
        if self.patience and not self.validation:
            raise Unusable("'patience' needs samples that are held out", "set validation = 0.1, or leave it out")
        return self

    @property
    def aware(self) -> "TrainingSettings":
        """Of the epochs of [training.quantization]."""
        assert self.quantization is not None
        own = {"epochs": self.quantization.epochs, "learning_rate": self.quantization.learning_rate}
        return self.model_copy(update={**own, "schedule": "cosine", "milestones": (), "patience": 0})

    @property
    def changes_samples(self) -> bool:
        """Are they others each time that they are learned from?"""
        return bool(self.flip or self.shift or self.cutout or self.noise or self.mixup)

    def of_tuning(self, chosen: TuningSettings) -> "TrainingSettings":
        """Of the epochs of [approximation.tuning]. Weights are held by what they should answer: they do not decay."""
        own = {"epochs": chosen.epochs, "learning_rate": chosen.learning_rate, "optimizer": "adam"}
        alone = {"schedule": "cosine", "milestones": (), "patience": 0, "weight_decay": 0.0, "quantization": None}
        return self.model_copy(update={**own, **alone})

    def rate(self, done: float) -> float:
        """Learning rate when so many epochs are done, or parts of one."""
        if self.schedule == "step":
            return self.learning_rate * self.gamma ** sum(done >= milestone for milestone in self.milestones)
        part, rising = done / self.epochs, WARM_UP if self.schedule == "one-cycle" else 0.0
        if part < rising:
            return self.learning_rate * (WARM_UP_FROM + (1 - WARM_UP_FROM) * part / rising)
        return self.learning_rate * (1 + math.cos(math.pi * (part - rising) / (1 - rising))) / 2
