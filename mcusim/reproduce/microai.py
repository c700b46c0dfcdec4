"""MicroAI: Novac et al., Quantization and Deployment of Deep Neural Networks on Microcontrollers, Sensors 2021.

Numbers are those of its tables and its text; its figures are pictures without any.
"""

from pathlib import Path

from mcusim.reproduce.study import Part, Study
from mcusim.system.assets import EXAMPLES

APPENDIX_B = ("Figure A1", ("float32", "int8", "int8 per-layer", "int9"))
MICROAI = Study(
    name="microai",
    title="Quantization and Deployment of Deep Neural Networks on Microcontrollers",
    cite="P.-E. Novac, G. Boukli Hacene, A. Pegatoquet, B. Miramond, V. Gripon, Sensors 2021, 21(9), 2984",
    folder=EXAMPLES / "microai",
    numbers=Path(__file__).with_suffix(".csv"),
    parts=(
        Part("uci_har", "Human activity recognition (UCI-HAR)", "Figure 5", "Figure 6", 0.81, APPENDIX_B),
        Part("spoken_digits", "Spoken digits", "Figure 7", "Figure 8", 1.07),
        Part(
            *("gtsrb", "Traffic signs (GTSRB)", "Figure 9", "Figure 10", 1.1),
            quick_samples=500,
            quick_on_boards=3,
            quick_models=("f16", "f24", "f32"),
        ),
    ),
    of_types={
        "float32": "float32",
        "int16 Q7.9": "int16",
        "int8 per-layer": "int8 (power of two)",
        "int8": "int8 (per channel)",
        "int9": "int9 (power of two)",
    },
    loss_of="int8 per-layer",
    shown_as={"int8 equalized": "int8"},
    notes=(
        "The paper trains again for int8 (powers of two) and takes the mean of 15 trainings; shipped is one network of "
        "a size, quantized after training. `--train` trains 15 of each, as the paper does.",
        "The paper's accuracies by size are in pictures, without numbers: only those that its text tells stand beside "
        "ours.",
        "The paper measured boards; ours are modelled cycles of the emulated ones.",
    ),
)
