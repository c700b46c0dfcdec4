"""hardware.toml: what it may say, what is refused, and which port a board has."""

import re
from pathlib import Path

import pytest

from mcusim.boards.load import board_names
from mcusim.engines.hardware.attached import METERS, Attached, address_of, default_map, read_map, same_serial
from mcusim.engines.hardware.usb import Port, device_of, devices, port_of
from mcusim.system.assets import PLATFORMS
from mcusim.system.errors import ConfigurationError, EngineError

NUCLEO = 'type = "nucleo_l452re_p"\n'


def written(folder: Path, text: str) -> Path:
    path = folder / "hardware.toml"
    path.write_text(text)
    return path


def test_a_map(tmp_path: Path) -> None:
    text = f"""
    [[board]]
    id = "n1"
    {NUCLEO}
    serial = "066EFF"
    server = "localhost:3333"
    power = ["uhubctl", "-a", "cycle"]
    meter = {{ kind = "ppk2", supply_v = 3.0 }}
    [[board]]
    id = "edge"
    type = "sparkfun_edge"
    usb = "1-1.2"
    """
    nucleo, edge = read_map(written(tmp_path, text))
    assert nucleo.address == ("localhost", 3333) and nucleo.meter and nucleo.meter.supply_v == 3.0
    assert nucleo.is_type("nucleo_l452re_p") and not edge.is_type("nucleo_l452re_p")
    assert edge.baud == 921600 and edge.address is None


def test_no_map_is_no_board(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert default_map() == tmp_path / "mcusim" / "hardware.toml" and read_map(None) == ()
    with pytest.raises(ConfigurationError):
        read_map(tmp_path / "named.toml")


def test_a_board_of_ones_own_lies_beside_the_map(tmp_path: Path) -> None:
    board = (PLATFORMS / "boards" / "nucleo_l452re_p.toml").read_text().replace('platform = "', 'platform = "own/')
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "nucleo_l452re_p.repl").write_text("")
    (tmp_path / "mine.toml").write_text(board.replace('"stm32l452re"', f'"{PLATFORMS}/chips/stm32l452re.toml"'))
    [mine] = read_map(written(tmp_path, '[[board]]\nid = "a"\ntype = "mine.toml"'))
    assert mine.is_type("mine") and Path(mine.type).is_absolute()


@pytest.mark.parametrize(
    ("text", "told", "line"),
    [
        (f'[[board]]\nid = "a"\n{NUCLEO}serial = "1F"\n[[board]]\nid = "b"\n{NUCLEO}serial = "01f"', "same serial", 8),
        (f'[[board]]\nid = "a"\n{NUCLEO}[[board]]\nid = "a"\n{NUCLEO}', "same id", 5),
        (f'[[board]]\nid = "a"\n{NUCLEO}usb = "1-1"\n[[board]]\nid = "b"\n{NUCLEO}usb = "1-1"', "same usb", 8),
        ('[[board]]\nid = "a"\ntype = "nucleo"', "unknown board 'nucleo'", 3),
        (f'[[board]]\nid = "a"\n{NUCLEO}probe = "1"', "unknown key 'probe'", 4),
        (f'[[board]]\nid = "a"\n{NUCLEO}server = "gdb"', "unknown server", 4),
        (f'[[board]]\nid = "a"\n{NUCLEO}power = "uhubctl"', "power", 4),
        (f'[[board]]\nid = "a"\n{NUCLEO}serial = "\\u0003x"', "cannot be printed", 4),
        (f'[[board]]\nid = "a"\n{NUCLEO}meter = {{ kind = "dmm" }}', "unknown energy meter", 4),
        (f"[[board]]\n{NUCLEO}", "key 'id' is missing", 1),
    ],
)
def test_what_is_wrong_is_named_with_its_line(tmp_path: Path, text: str, told: str, line: int) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read_map(written(tmp_path, text))
    assert told in caught.value.what and caught.value.hint and f"hardware.toml:{line}" in (caught.value.where or "")


def test_all_that_is_wrong_at_once(tmp_path: Path) -> None:
    text = f'[[board]]\nid = "a"\n{NUCLEO}port = "/dev/x"\n[[board]]\nid = "a"\ntype = "nobody"\nport = "/dev/x"'
    with pytest.raises(ConfigurationError) as caught:
        read_map(written(tmp_path, text))
    assert len(caught.value.others) == 2


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("066EFF48", "066eff48", True),
        ("6EFF", "006EFF", True),
        ("Tq\x87\x06", "54718706", True),  # an old ST-Link tells bytes
        ("066EFF48", "066EFF49", False),
    ],
)
def test_serial_numbers_are_compared_in_hex(one: str, other: str, same: bool) -> None:
    assert same_serial(one, other) is same_serial(other, one) is same


@pytest.mark.parametrize("server", ["openocd", "localhost", "localhost:0", "localhost:99999", "a b:1"])
def test_no_address(server: str) -> None:
    assert address_of(server) is None


THERE = (
    Port("/dev/ttyACM0", "066EFF", "1-1.1", device_of(0x0483, 0x374B)),
    Port("/dev/ttyUSB0", None, "1-1.2", device_of(0x1A86, 0x7523)),
    Port("/dev/ttyACM1", "0D28", "1-1.3", None),
    Port("/dev/ttyACM2", "0D28", "1-1.3", None),
)


def attached(**told: str) -> Attached:
    return Attached(id="a", type="nucleo_l452re_p", **told)  # type: ignore[arg-type]


def test_the_port_of_a_board() -> None:
    assert port_of(attached(serial="66eff"), THERE) == "/dev/ttyACM0"
    assert port_of(attached(usb="1-1.2"), THERE) == "/dev/ttyUSB0"
    assert port_of(attached(port="/dev/mine"), ()) == "/dev/mine"


@pytest.mark.parametrize(
    ("board", "told"),
    [
        (attached(), "names no serial port"),
        (attached(serial="99"), "is not connected"),
        (attached(serial="66eff", usb="1-1.2"), "is not connected"),
        (attached(serial="0D28"), "has 2 serial ports: /dev/ttyACM1, /dev/ttyACM2"),
    ],
)
def test_a_board_without_one(board: Attached, told: str) -> None:
    with pytest.raises(EngineError, match=told) as caught:
        port_of(board, THERE)
    assert caught.value.hint


def test_the_table_of_devices() -> None:
    assert {name for device in devices() for name in device.boards} <= set(board_names())
    assert {device.meter for device in devices()} <= {None, *METERS}
    assert len({(device.vid, device.pid) for device in devices()}) == len(devices())
    assert device_of(0x0403, 0x6001) and not device_of(0xFFFF, 1)


def test_the_udev_rule_is_for_all_that_is_known() -> None:
    rules = (PLATFORMS.parent / "docs" / "hardware.md").read_text(encoding="utf-8")
    found = re.findall(r'ATTRS\{idVendor\}=="(\w+)"(?:, ATTRS\{idProduct\}=="([^"]+)")?', rules)
    for device in devices():
        wanted = f"{device.vid:04x}", None if device.pid is None else f"{device.pid:04x}"
        told = [products for vendor, products in found if vendor == wanted[0]]
        assert any(not products or re.fullmatch(products, wanted[1] or "") for products in told), device
