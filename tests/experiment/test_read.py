"""Experiment files: what they say, and every mistake named with its place."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest

from mcusim.boards.load import board_names
from mcusim.experiment.approximation import Approximation, LayerApproximation
from mcusim.experiment.cascade import Cascade
from mcusim.experiment.experiment import Experiment
from mcusim.experiment.exploration import Explore
from mcusim.experiment.kernel_choice import KernelChoice, read_choice
from mcusim.experiment.quantization import LayerQuantization, Quantization
from mcusim.experiment.read import ARRAYS, TABLES, read_experiment
from mcusim.experiment.tables import DatasetChoice, Expect, ExpectFor, General, Model, Regress, Target, TaskChoice
from mcusim.system.errors import ConfigurationError, DataError, McusimError, ModelError
from mcusim.system.validation import Table
from mcusim.training.settings import AwareSettings, TrainingSettings, TuningSettings

ROOT = Path(__file__).parents[2]
SMALL = """\
[dataset]
name = "digits"

[[model]]
name = "cnn"
architecture = "cnn"

[target]
boards = ["nucleo_l452re_p"]
"""

Read = Callable[[str], Experiment]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    def read_text(text: str) -> Experiment:
        path = tmp_path / "test.toml"
        path.write_text(text, encoding="utf-8")
        return read_experiment(path)

    return read_text


def test_defaults(read: Read) -> None:
    experiment = read(SMALL)
    assert experiment.name == "test"
    assert [entry.label for entry in experiment.quantizations] == ["float32"]
    assert experiment.models[0].training == TrainingSettings()
    assert experiment.target.samples == "all" and experiment.target.engine == "qemu"


def test_a_file_called_experiment_is_named_after_its_folder(tmp_path: Path) -> None:
    path = tmp_path / "gestures" / "experiment.toml"
    path.parent.mkdir()
    path.write_text(SMALL)
    assert read_experiment(path).name == "gestures"


def test_four_lines_are_enough(read: Read, tmp_path: Path) -> None:
    (tmp_path / "model.keras").touch()
    (tmp_path / "data.npz").touch()
    (tmp_path / ("x" * 120 + ".h5")).touch()
    four = '[dataset]\nfile = "data.npz"\n[[model]]\nfile = "model.keras"\n'
    experiment = read(four)
    assert [(model.name, model.file) for model in experiment.models] == [("model", tmp_path / "model.keras")]
    assert experiment.dataset.normalize is None and experiment.boards == board_names()
    long = read(four.replace("model.keras", "x" * 120 + ".h5"))
    assert long.models[0].name == "x" * 100
    assert read(SMALL.replace('name = "cnn"\n', "")).models[0].name == "cnn", "its architecture"


def test_two_models_of_one_file_name_need_names(read: Read, tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "model.keras").touch()
    text = '[dataset]\nname = "digits"\n[[model]]\nfile = "a/model.keras"\n[[model]]\nfile = "b/model.keras"\n'
    with pytest.raises(ConfigurationError, match="two models 'model'") as caught:
        read(text)
    assert "give each a name" in (caught.value.hint or "")
    assert [model.name for model in read(text + 'name = "other"\n').models] == ["model", "other"]
    budget = '[[expect_for]]\nmodel = "model"\naccuracy_min = 0.5\n'
    assert read(text + 'name = "other"\n' + budget).expect_for[0].model == "model"


def test_template_and_training_are_merged_key_by_key(read: Read) -> None:
    experiment = read(
        """
        [dataset]
        name = "digits"
        [training]
        epochs = 7
        momentum = 0.5
        [model_template]
        architecture = "resnetv1"
        parameters = { filters = 16, kernel_size = 5 }
        training = { momentum = 0.6 }
        [[model]]
        name = "a"
        [[model]]
        name = "b"
        parameters = { filters = 80 }
        training = { epochs = 9 }
        """
    )
    a, b = experiment.models
    assert a.parameters == {"filters": 16, "kernel_size": 5} and b.parameters == {"filters": 80, "kernel_size": 5}
    assert (a.training.epochs, a.training.momentum) == (7, 0.6)
    assert (b.training.epochs, b.training.momentum) == (9, 0.6)


def test_a_model_file_is_relative_to_the_experiment_and_takes_no_template(read: Read, tmp_path: Path) -> None:
    (tmp_path / "m.keras").write_bytes(b"")
    experiment = read(
        SMALL.replace('architecture = "cnn"', 'file = "m.keras"')
        + '[model_template]\narchitecture = "mlp"\nkeep = "best"\nparameters = { units = [3] }\n'
    )
    model = experiment.models[0]
    assert model.file == tmp_path / "m.keras" and model.architecture is None and model.keep == "best"


def test_quantizations(read: Read) -> None:
    experiment = read(
        SMALL
        + """
        [[quantization]]
        data_type = "int16"
        scheme = "per-network"
        format = "Q7.9"
        rounding = "floor"
        [[quantization]]
        data_type = "int9"
        calibration_samples = 20
        """
    )
    first, second = experiment.quantizations
    assert (first.fraction, first.label) == (9, "int16 Q7.9 floor")
    assert (second.fraction, second.label) == (None, "int9 calibration 20")


ADDED = [  # appended to SMALL: text, what the error says, its hint
    ("[targets]\n", "unknown table or key 'targets'", "did you mean 'target'?"),
    ("[experiment]\nsede = 1\n", "unknown key 'sede'", "did you mean 'seed'?"),
    ('[experiment]\nseed = "1"\n', "'seed' is '1'", "should be a valid integer"),
    ("[experiment]\nseed = -1\n", "'seed' is -1", "greater than or equal to 0"),
    ('[experiment]\nname = ""\n', "'name' is ''", "at least 1 character"),
    ("[experiment]\nrepeats = 0\n", "'repeats' is 0", "greater than or equal to 1"),
    (
        '[[model]]\narchitecture = "lstm"\ntraining = { quantization = { data_type = "int8" } }\n',
        "'lstm' cannot be trained for integers",
        "leave it out: calibration",
    ),
    ("[training]\nepoch = 3\n", "unknown key 'epoch'", "did you mean 'epochs'?"),
    ("[training]\nepochs = 0\n", "'epochs' is 0", "whole number from 1"),
    ("[training]\nlearning_rate = nan\n", "'learning_rate' is nan", "a number"),
    ('[[quantization]]\ndata_type = "int17"\n', "unknown data type 'int17'", "did you mean 'int"),
    ('[[quantization]]\nscheme = "per-layer"\n', "key 'data_type' is missing", "add data_type"),
    ('[[quantization]]\ndata_type = "int8"\nscheme = "perlayer"\n', "unknown quantization scheme", "per-layer"),
    ('[[quantization]]\ndata_type = "int8"\nscheme = "per-network"\n', "needs a format", "format = 'Q4.4'"),
    ('[[quantization]]\ndata_type = "int8"\nscheme = "per-network"\nformat = "Q7.9"\n', "has 16 bits, int8 has 8", ""),
    ('[[quantization]]\ndata_type = "int8"\nscheme = "per-network"\nformat = "7.9"\n', "no fixed-point format", "Qm.n"),
    ('[[quantization]]\ndata_type = "int8"\nformat = "Q4.4"\n', "takes no format", "per-network"),
    ('[[quantization]]\ndata_type = "float32"\nrounding = "floor"\n', "float32 is not quantized", "remove it"),
    ('[[quantization]]\ndata_type = "float32"\nrescale = "single"\n', "float32 is not quantized", "remove it"),
    ('[[quantization]]\ndata_type = "int8"\nrescale = "once"\n', "'rescale' is 'once'", "'double' or 'single'"),
    ('[[quantization]]\ndata_type = "int16"\nrescale = "single"\n', "'per-layer' rescales by shifts", "per-channel"),
    ('[[quantization]]\ndata_type = "int8"\nrounding = "up"\n', "'rounding' is 'up'", "'nearest' or 'floor'"),
    ('[[quantization]]\ndata_type = "int8"\n[[quantization]]\ndata_type = "int8"\n', "int8 is there twice", "remove"),
    ('[[model]]\nname = "cnn"\narchitecture = "mlp"\n', "there are two models 'cnn'", "a name of its own"),
    ('[[model]]\nname = "x"\n', "needs either 'architecture' or 'file'", "architecture ="),
    ('[[model]]\nname = "x"\narchitecture = "cmn"\n', "unknown architecture 'cmn'", "did you mean 'cnn'?"),
    (
        '[[model]]\nname = "x"\narchitecture = "cnn"\nparameters = { filter = 3 }\n',
        "'filter'",
        "did you mean 'filters'?",
    ),
    ('[[model]]\nname = "x"\narchitecture = "cnn"\nparameters = 3\n', "'parameters' is no table", "parameters = {"),
    ('[[model]]\nname = "x"\narchitecture = "cnn"\nkeep = "first"\n', "'keep' is 'first'", "'last' or 'best'"),
    ("[expect]\naccuracy_min = 91.5\n", "'accuracy_min' is 91.5", "a share from 0 to 1"),
    ("[expect]\nrom_bytes_max = 1.5\n", "'rom_bytes_max' is 1.5", "a whole number of bytes"),
    ("[expect]\nlatency_ms_max = inf\n", "'latency_ms_max' is inf", "finite"),
    ("[expect]\naccuracy = 0.9\n", "unknown key 'accuracy'", "did you mean 'accuracy_min'?"),
    ('[expect]\nlatency_ms_max = 3\nmargin = "p95"\n', "'margin' is 'p95'", '"none", "median" or "p90"'),
    ("[expect]\nlatency_ms_max = 3\nmargin = 5\n", "'margin' is 5", '"median" or "p90"'),
    ('[expect]\nrom_bytes_max = 3\nmargin = "p90"\n', "no budget is one of cycles", "latency_ms_max, "),
    ('[[expect_for]]\nmargin = "median"\n', "no budget is one of cycles", "add one of cycles_max"),
    ("[expect]\ntolerance = 3\n", "unknown key 'tolerance'", "did you mean 'margin'?"),
    ('[[expect_for]]\nmodel = "cmn"\n', "no model 'cmn'", "did you mean 'cnn'?"),
    ('[[expect_for]]\nmodle = "cnn"\n', "unknown key 'modle'", "did you mean 'model'?"),
    ("[model_template]\nname = 3\n[[quantization]]\ndata_type = 8\n", "'data_type' is 8", "string"),
]


@pytest.mark.parametrize(("added", "what", "hint"), ADDED)
def test_mistakes_are_named_with_file_and_line(read: Read, tmp_path: Path, added: str, what: str, hint: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read(SMALL + added)
    assert what in caught.value.what
    assert hint in (caught.value.hint or "")
    place = re.match(re.escape(str(tmp_path / "test.toml")) + r":(\d+)", caught.value.where or "")
    assert place, caught.value.where
    assert int(place[1]) > SMALL.count("\n"), "the line of what was added"


def test_all_errors_of_a_file_are_told_at_once(read: Read) -> None:
    text = """
        [datasets]
        name = "digits"
        [[model]]
        nam = "a"
        path = "a.keras"
        [[model]]
        name = "b"
        file = "not-there.keras"
        [[quantization]]
        dtype = "int8"
        [[quantization]]
        data_type = "i8"
        [target]
        boards = ["l452re"]
        [expect]
        accuracy_min = 93
        [[expect_for]]
        model = "c"
        """
    with pytest.raises(ConfigurationError) as caught:
        read(text)
    told = [(error.what, error.hint) for error in (caught.value, *caught.value.others)]
    assert told == [
        ("unknown table or key 'datasets'", "did you mean 'dataset'?"),
        ("unknown key 'nam'", "did you mean 'name'?"),
        ("unknown key 'path'", "did you mean 'file'?"),
        ("there is no model file 'not-there.keras'", told[3][1]),
        ("unknown key 'dtype'", "did you mean 'data_type'?"),
        ("key 'data_type' is missing", "add data_type = ..."),
        ("unknown data type 'i8'", "did you mean 'int8'?"),
        ("unknown board 'l452re'", "did you mean 'nucleo_l452re_p'?"),
        ("'accuracy_min' is 93", "give a share from 0 to 1, for example 0.915"),
        ("no model 'c'", "known: b"),
    ]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("modle.keras", "did you mean 'model.keras'?"),
        ("saved_model", "model.save('model.keras')"),
        ("m.pth", "torch.onnx.export"),
        ("m.zip", "known are .keras"),
    ],
)
def test_model_and_data_that_cannot_be_are_told_together(read: Read, tmp_path: Path, name: str, words: str) -> None:
    for file in ("model.keras", "m.pth", "m.zip", "data.npz"):
        (tmp_path / file).write_text("something else")
    (tmp_path / "saved_model").mkdir()
    with pytest.raises(DataError) as caught:
        read(f'[dataset]\nfile = "date.npz"\n[[model]]\nfile = "{name}"\n[target]\nboards = ["a", "STM32L4"]\n')
    data, model, *boards = (caught.value, *caught.value.others)
    assert data.what == "there is no data file 'date.npz'" and "did you mean 'data.npz'?" in (data.hint or "")
    assert "test.toml:2, dataset.file" in str(data.where) and model.where
    assert name in model.what and words in (model.hint or "")
    assert [board.what for board in boards] == ["unknown board 'a'", "unknown board 'STM32L4'"]


SYNONYMS = [  # appended to SMALL: text, the hint
    ('[[model]]\nname = "x"\narch = "cnn"\n', "did you mean 'architecture'?"),
    ('[[model]]\nname = "x"\narchitecture = "cnn"\nepochs = 3\n', "training = { epochs = 30"),
    ('[[model]]\nname = "x"\nfile = "m.keras"\ndtype = "int8"\n', "[[quantization]]"),
    ("[[quantization]]\nbits = 8\n", "did you mean 'data_type'?"),
    ('[[quantization]]\ndata_type = "fp16"\n', "float32; int16"),
    ('[[quantization]]\ndata_type = "INT8"\n', "did you mean 'int8'?"),
    ("[budgets]\nlatency = 3\n", "did you mean 'expect'?"),
    ("[training]\nlr = 0.1\n", "did you mean 'learning_rate'?"),
    ("[expect]\nrom_max = 1\n", "did you mean 'rom_bytes_max'?"),
    ("[expect]\nram_kb_max = 1\n", 'ram_bytes_max = "40 KiB"'),
    ("[expect]\nlatency_max_ms = 1\n", "did you mean 'latency_ms_max'?"),
]


@pytest.mark.parametrize(("added", "hint"), SYNONYMS)
def test_what_others_call_so_is_understood(read: Read, tmp_path: Path, added: str, hint: str) -> None:
    (tmp_path / "m.keras").touch()
    with pytest.raises(ConfigurationError) as caught:
        read(SMALL + added)
    assert hint in (caught.value.hint or "")


CHANGED = [  # in SMALL: old text, new text, what the error says, hint
    ('name = "digits"', 'name = "digit"', "unknown data set 'digit'", "did you mean 'digits'?"),
    ('name = "digits"', "", "needs either 'name' or 'file'", "name = 'digits'"),
    ('name = "digits"', 'name = "digits"\nfile = "x.npz"', "needs either 'name' or 'file'", ""),
    ('name = "digits"', 'name = "digits"\nnormalize = "zscore"', "'normalize' is 'zscore'", "'z-score' or 'none'"),
    ('["nucleo_l452re_p"]', '["nucleo_l452re"]', "unknown board 'nucleo_l452re'", "did you mean 'nucleo_l452re_p'?"),
    ('["nucleo_l452re_p"]', '"nucleo_l452re_p"', "'boards' is 'nucleo_l452re_p'", "a list of names"),
    ('["nucleo_l452re_p"]', '["sparkfun_edge", "sparkfun_edge"]', "a board is there twice", "remove one"),
    ("boards =", 'engine = "qmeu"\nboards =', "unknown engine 'qmeu'", "did you mean 'qemu'?"),
    ("boards =", "samples = 0\nboards =", "'samples' is 0", '"all" or a whole number'),
    ("boards =", "jobs = 0\nboards =", "'jobs' is 0", "one for each core"),
    ("boards =", "stall_s = -1\nboards =", "'stall_s' is -1", "greater than 0"),
    ("boards =", "stall_s = 1e300\nboards =", "'stall_s' is 1e+300", "up to a week"),
    ("boards =", "stall_s = nan\nboards =", "'stall_s' is nan", "greater than 0"),
    ("boards =", 'engine = "host,qemu"\nboards =', "engine 'host' runs on no board", "compare emulators"),
    ("boards =", 'kernels = "plane"\nboards =', "unknown kernel 'plane'", "did you mean 'plain'?"),
    ("boards =", 'code_in_ram = "yes"\nboards =', "'code_in_ram' is 'yes'", 'true, false or "auto"'),
    ("boards =", "code_in_ram = 1\nboards =", "'code_in_ram' is 1", 'true, false or "auto"'),
    ("boards =", "ramfunc = true\nboards =", "ramfunc", "code_in_ram"),
    ("boards =", "kernels = 3\nboards =", "'kernels' is 3", "a name, a list of names"),
    ("boards =", 'kernels = { conv1 = ["plain", "x"] }\nboards =', "unknown kernel 'x'", "plain"),
    ("[[model]]", "[model]", "'model' is no list of tables", "[[model]]"),
    ('[[model]]\nname = "cnn"\narchitecture = "cnn"\n', "", "the experiment has no [[model]]", "mcusim init"),
    ('[dataset]\nname = "digits"', "", "the experiment has no [dataset]", "[dataset]"),
    ("[dataset]", "[[dataset]]", "'dataset' is no table", "[dataset]"),
    ("[dataset]", '[regress]\nlatency = "2%"\n[dataset]', "unknown key 'latency'", "did you mean 'latency_ms'?"),
    ("[dataset]", "[regress]\nrom_byte = 2\n[dataset]", "unknown key 'rom_byte'", "did you mean 'rom_bytes'?"),
    ("[dataset]", '[regress]\nlatency_ms = "-2%"\n[dataset]', "'-2' is no limit", "give a number"),
    ("[dataset]", '[regress]\naccuracy = "2%"\n[dataset]', "percent may be points", "2pt"),
    ("[dataset]", "[regress]\naccuracy = 2\n[dataset]", "more than all", "2pt"),
    ("[dataset]", '[regress]\nrom_bytes = "1 ms"\n[dataset]', "'1 ms' is no limit in bytes", "KiB"),
    ("[dataset]", "[regress]\nrom_bytes = true\n[dataset]", "'True' is no limit in bytes", "KiB"),
    ("[dataset]", "[baseline]\nrom_bytes = 1\n[dataset]", "unknown table or key 'baseline'", "did you mean 'regress'?"),
]


@pytest.mark.parametrize(("old", "new", "what", "hint"), CHANGED)
def test_mistakes_in_a_good_file(read: Read, tmp_path: Path, old: str, new: str, what: str, hint: str) -> None:
    assert old in SMALL
    with pytest.raises(ConfigurationError) as caught:
        read(SMALL.replace(old, new, 1))
    assert what in caught.value.what and hint in (caught.value.hint or "")
    assert str(tmp_path / "test.toml") in (caught.value.where or "")


@pytest.mark.parametrize(
    ("written", "choice"),
    [
        ("", KernelChoice()),
        ('kernels = "auto"', KernelChoice()),
        ('kernels = ["plain"]', KernelChoice(default=("plain",))),
        ('kernels = { conv1 = "plain" }', KernelChoice(layers=(("conv1", ("plain",)),))),
        (
            '[target.kernels]\ndefault = "plain"\nconv1 = "auto"',
            KernelChoice(default=("plain",), layers=(("conv1", ()),)),
        ),
    ],
)
def test_kernels(read: Read, written: str, choice: KernelChoice) -> None:
    assert read(SMALL + written).target.kernels == choice


def test_a_model_file_that_is_not_there(read: Read) -> None:
    with pytest.raises(ModelError, match=r"no model file 'none\.keras'") as caught:
        read(SMALL.replace('architecture = "cnn"', 'file = "none.keras"'))
    assert caught.value.exit_code == 3


def test_a_model_file_is_trained_for_its_integers_alone(read: Read, tmp_path: Path) -> None:
    """Where its own table says so: [training] is for what is trained from the start."""
    (tmp_path / "m.keras").write_bytes(b"")
    general = '[training.quantization]\ndata_type = "int8"\n'
    [model] = read(SMALL.replace('architecture = "cnn"', 'file = "m.keras"') + general).models
    assert model.training.quantization is None and not model.is_trained
    own = 'file = "m.keras"\ntraining = { quantization = { data_type = "int4", epochs = 2 } }'
    [model] = read(SMALL.replace('architecture = "cnn"', own)).models
    assert model.is_trained and model.training.aware.epochs == 2
    [model] = read(SMALL + general).models
    assert model.training.quantization == AwareSettings(data_type="int8")
    with pytest.raises(ConfigurationError, match="int5"):
        read(SMALL + general.replace("int8", "int5") + 'scheme = "per-channel"\n')


def test_training_of_a_model_file_is_refused(read: Read, tmp_path: Path) -> None:
    (tmp_path / "m.keras").write_bytes(b"")
    with pytest.raises(ConfigurationError, match="'training' has no use"):
        read(SMALL.replace('architecture = "cnn"', 'file = "m.keras"\ntraining = { epochs = 3 }'))


@pytest.mark.parametrize("table", ["[approximation]", '[[approximation]]\nname = "a"'])
def test_a_model_file_that_is_tuned_has_training_of_its_own(read: Read, tmp_path: Path, table: str) -> None:
    (tmp_path / "m.keras").write_bytes(b"")
    text = SMALL.replace('architecture = "cnn"', 'file = "m.keras"\ntraining = { flip = true }')
    [model] = read(f"{text}\n{table}\ntuning = {{ epochs = 1 }}\n").models
    assert model.training.flip and not model.is_trained


@pytest.mark.parametrize(
    "path", sorted(ROOT.glob("examples/*/*.toml")), ids=lambda path: f"{path.parent.name}/{path.name}"
)
def test_every_example_is_an_experiment(path: Path) -> None:
    try:
        experiment = read_experiment(path)
    except McusimError as error:  # pragma: no cover
        pytest.fail(str(error))
    assert list(experiment.cases())


def test_limits_of_a_comparison_are_kept_as_they_are_written(read: Read) -> None:
    text = f'{SMALL}\n[regress]\nlatency_ms = "2%"\naccuracy = "0.2pt"\nrom_bytes = 512\nenergy_uwh = 0.01\n'
    told = {"latency_ms": "2%", "accuracy": "0.2pt", "rom_bytes": "512", "energy_uwh": "0.01"}
    assert read(text).regress.limits == told and not read(SMALL).regress.limits


# -- docs/experiment.md ------------------------------------------------------------------------------------------------

DOCUMENTED: dict[str, set[str]] = {
    "[experiment]": set(General.model_fields),
    "[dataset]": set(DatasetChoice.model_fields),
    "[task]": set(TaskChoice.model_fields),
    "[training]": set(TrainingSettings.model_fields),
    "[training.quantization]": set(AwareSettings.model_fields),
    "[model_template], [[model]]": set(Model.model_fields),
    "[[quantization]]": {*Quantization.model_fields, *LayerQuantization.model_fields},
    "[approximation]": {*Approximation.model_fields, *LayerApproximation.model_fields},
    "[approximation.tuning]": set(TuningSettings.model_fields),
    "[target]": set(Target.model_fields),
    "[expect], [[expect_for]]": set(Expect.model_fields),
    "[regress]": set(Regress.model_fields),
    "[explore]": set(Explore.model_fields),
    "[cascade]": set(Cascade.model_fields),
}


def sections() -> dict[str, str]:
    text = (ROOT / "docs" / "experiment.md").read_text(encoding="utf-8")
    parts = re.split(r"^## (.*)$", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


@pytest.mark.parametrize("section", DOCUMENTED)
def test_docs_name_every_key_and_no_other(section: str) -> None:
    assert set(re.findall(r"^\| `(\w+)` \|", sections()[section], re.MULTILINE)) == DOCUMENTED[section]


def test_docs_have_a_section_for_every_table() -> None:
    assert set(re.findall(r"\[+(\w+)\]+", " ".join(sections()))) == {*TABLES, *ARRAYS}


def defaults(kind: type[Table]) -> dict[str, object]:
    return {name: field.default for name, field in kind.model_fields.items()}


@pytest.mark.parametrize(
    ("section", "values"),
    [
        ("[experiment]", defaults(General)),
        ("[dataset]", defaults(DatasetChoice)),
        ("[task]", defaults(TaskChoice)),
        ("[training]", defaults(TrainingSettings)),
        ("[training.quantization]", defaults(AwareSettings)),
        ("[approximation.tuning]", defaults(TuningSettings)),
        ("[[quantization]]", defaults(Quantization)),
        ("[approximation]", defaults(Approximation)),
        ("[target]", defaults(Target)),
        ("[explore]", defaults(Explore)),
    ],
)
def test_docs_give_the_defaults(section: str, values: dict[str, object]) -> None:
    rows = dict(re.findall(r"^\| `(\w+)` \|([^|]*)\|", sections()[section], re.MULTILINE))
    for name, default in values.items():
        shown = rows[name].strip(' `"')
        if isinstance(default, bool):
            assert shown == str(default).lower(), name
        elif isinstance(default, float):
            assert float(shown) == default, name
        elif isinstance(default, KernelChoice):
            assert shown == "auto" and read_choice(shown) == default.model_dump()
        elif isinstance(default, (str, int)):
            assert shown == str(default), name


def test_expect_for_has_the_keys_of_expect() -> None:
    assert set(ExpectFor.model_fields) - set(Expect.model_fields) == {"model", "data_type", "board"}


NOTHING = [  # [[expect_for]] of nothing: its key and value, the hint
    ("board", "nucleo_l452re", "did you mean 'nucleo_l452re_p'?"),
    ("board", "sparkfun_edge", "known: nucleo_l452re_p"),
    ("data_type", "int9x", ""),
    ("data_type", "int16", "known: float32"),
    ("model", "cnm", "did you mean 'cnn'?"),
]


@pytest.mark.parametrize(("key", "value", "hint"), NOTHING)
def test_what_is_expected_of_no_run_is_a_mistake(read: Read, key: str, value: str, hint: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read(f"{SMALL}\n[[expect_for]]\n{key} = {value!r}\nrom_bytes_max = 1\n")
    assert repr(value) in caught.value.what and hint in (caught.value.hint or "")
    assert f"expect_for[0].{key}" in (caught.value.where or "")


def test_all_that_is_expected_of_no_run_is_told_at_once(read: Read) -> None:
    entries = "".join(f"[[expect_for]]\n{key} = {value!r}\nrom_bytes_max = 1\n" for key, value, _ in NOTHING[:4])
    with pytest.raises(ConfigurationError) as caught:
        read(SMALL + entries)
    assert len((caught.value, *caught.value.others)) == 4


def test_boards_of_the_command_line_may_be_expected_of(read: Read) -> None:
    small = SMALL.replace('boards = ["nucleo_l452re_p"]', "")
    entry = "\n[[expect_for]]\nboard = 'sparkfun_edge'\nrom_bytes_max = 1\n"
    assert read(small + entry).expect_for[0].board == "sparkfun_edge"
    with pytest.raises(ConfigurationError, match="has board 'sparkfun'"):
        read(small + entry.replace("_edge", ""))


@pytest.mark.parametrize("text", ["Q4.4\\n", " Q4.4", "Q\u0664.4", "Q4.4\\u202e", "Q4.4 -- x"])
def test_a_format_is_plain(read: Read, text: str) -> None:
    """It becomes part of a file's name and of comments in C."""
    with pytest.raises(ConfigurationError, match="is no fixed-point format"):
        read(f'{SMALL}[[quantization]]\ndata_type = "int8"\nscheme = "per-network"\nformat = "{text}"\n')
