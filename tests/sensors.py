"""Whole machines as their kernels show them: made-up sysfs and procfs, and what a look at each must say.

The files and their units are the drivers'; the numbers of the emulated machine's sensors were read there.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final, NamedTuple

from boards import PI4, PI5, ROCK5, Files, Firmware, planted, zone

from edged.board.firmware import Mailbox
from edged.board.host import Host
from edged.board.telemetry import Telemetry

HWMON: Final = "sys/class/hwmon/hwmon"
POWER: Final = "sys/class/power_supply"
CPUFREQ: Final = "sys/devices/system/cpu/cpufreq/policy"
PSI: Final = (
    "some avg10={} avg60=0.50 avg300=0.10 total=4811\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n"
)
ADC: Final = """\
 3V7_WL_SW_A current(0)=0.10000000A
   3V3_SYS_A current(1)=0.20000000A
  VDD_CORE_A current(7)=2.00000000A
 3V7_WL_SW_V volt(8)=3.70000000V
   3V3_SYS_V volt(9)=3.30000000V
  VDD_CORE_V volt(15)=0.80000000V
     EXT5V_V volt(24)=5.05716000V
      BATT_V volt(25)=0.00000000V
"""


def hwmon(number: int, name: str, **attributes: object) -> Files:
    """A chip's files."""
    folder = f"{HWMON}{number}"
    return {f"{folder}/name": f"{name}\n"} | {
        f"{folder}/{one}": f"{said}\n" for one, said in attributes.items()
    }


def supply(name: str, **attributes: object) -> Files:
    """A power supply's files; ``type`` is one of them."""
    return {f"{POWER}/{name}/{one}": f"{said}\n" for one, said in attributes.items()}


def iio(number: int, name: str, **attributes: object) -> Files:
    """An IIO device's files."""
    folder = f"sys/bus/iio/devices/iio:device{number}"
    return {f"{folder}/name": f"{name}\n"} | {
        f"{folder}/{one}": f"{said}\n" for one, said in attributes.items()
    }


def clocks(now: int, full: int, cores: str = "0 1 2 3", policy: int = 0) -> Files:
    """One of cpufreq's policies, kHz."""
    folder = f"{CPUFREQ}{policy}"
    return {
        f"{folder}/scaling_cur_freq": f"{now}\n",
        f"{folder}/cpuinfo_max_freq": f"{full}\n",
        f"{folder}/related_cpus": f"{cores}\n",
    }


def processor(busy: int, idle: int, waits: str = "1.50") -> Files:
    """What the kernel counts of its processors."""
    return {
        "proc/stat": f"cpu  {busy} 0 0 {idle} 0 0 0 0 0 0\ncpu0 {busy} 0 0 {idle} 0 0 0 0 0 0\nintr 1\n",
        "proc/meminfo": "MemTotal:  474916 kB\nMemFree:  90000 kB\nMemAvailable:  301200 kB\n",
        "proc/pressure/cpu": PSI.format(waits),
        "proc/pressure/memory": PSI.format("0.25"),
        "proc/pressure/io": PSI.format("3.00"),
        "proc/self/cgroup": "0::/system.slice/edged.service\n",
        "sys/fs/cgroup/system.slice/edged.service/cpu.stat": f"usage_usec {busy * 10_000}\nuser_usec 1\n",
    }


class Machine(NamedTuple):
    """A made-up machine: its files, its firmware, and what of a first look is known (all else is None)."""

    files: Files
    says: dict[str, float | bool | int | None]
    firmware: Firmware | None = None

    def opened(self, root: Path, firmware: Firmware | None = None) -> Telemetry:
        """The board over its files below ``root``."""
        planted(root, processor(100, 900) | self.files)
        speaks = firmware or self.firmware
        if speaks is None:
            return Telemetry(Host(root))
        (root / "dev").mkdir(exist_ok=True)
        (root / "dev/vcio").touch()
        return Telemetry(Host(root), Mailbox(root / "dev/vcio", speaks))


#: What the first look at every one of them says.
ALWAYS: Final = {"pressure": 0.015, "memory_pressure": 0.0025, "io_pressure": 0.03, "memory": 301200 * 1024}
PI3BP: Final[Files] = {
    "proc/device-tree/model": b"Raspberry Pi 3 Model B Plus Rev 1.3\0",
    "proc/device-tree/compatible": b"raspberrypi,3-model-b-plus\0brcm,bcm2837\0",
    **zone(0, "cpu-thermal", "58002", "sys/class", critical=110000),
    **clocks(1_400_000, 1_400_000),
}
ZERO2W: Final[Files] = {
    "proc/device-tree/model": b"Raspberry Pi Zero 2 W Rev 1.0\0",
    "proc/device-tree/compatible": b"raspberrypi,model-zero-2-w\0brcm,bcm2837\0",
    **zone(0, "cpu-thermal", "44008", "sys/class", critical=110000),
    **clocks(600_000, 1_000_000),
}
INA219: Final = hwmon(3, "ina219", in0_input=5, in1_input=5040, curr1_input=800, power1_input=4032000)
INA219_IIO: Final = iio(
    0, "ina219", in_voltage0_raw=500, in_voltage0_scale="0.010000000", in_voltage1_raw=1260,
    in_voltage1_scale="4.000000000", in_power2_raw=200, in_power2_scale="20.000000000", in_current3_raw=800,
    in_current3_scale="1.000000000", in_shunt_resistor="0.100000000",
)  # fmt: skip

MACHINES: Final[dict[str, Machine]] = {
    "pi3b+": Machine(
        PI3BP | hwmon(0, "rpi_volt", in0_lcrit_alarm=0),
        {"temperature": 58.002, "limit": 80.0, "clock": 0.857142857, "under_voltage": False, "word": 0x80008}
        | {"core_voltage": 1.2},
        Firmware(0b1000, 1_200_000, hertz=(1_200_000_000, 1_400_000_000)),
    ),
    "pi4": Machine(
        PI4 | clocks(1_800_000, 1_800_000) | hwmon(0, "cpu_thermal", temp1_input=51608)
        | hwmon(1, "rpi_volt", in0_lcrit_alarm=0),
        {"temperature": 51.608, "limit": 75.0, "clock": 1.0, "under_voltage": False, "word": 0}
        | {"core_voltage": 0.86},
        Firmware(hertz=(1_800_457_088, 1_800_000_000), hottest=80_000),  # temp_limit=80
    ),
    "pi4 without its firmware": Machine(
        PI4 | clocks(900_000, 1_800_000), {"temperature": 51.608, "limit": 80.0, "clock": 0.5}
    ),
    "pi5": Machine(
        PI5 | clocks(2_400_000, 2_400_000) | hwmon(0, "pwmfan", fan1_input=2471, pwm1=75)
        | hwmon(1, "rpi_volt", in0_lcrit_alarm=0) | hwmon(2, "rp1_adc", temp1_input=50000),
        {"temperature": 74.15, "limit": 80.0, "clock": 1.0, "under_voltage": False, "word": 0}
        | {"core_voltage": 0.86, "voltage": 5.05716, "rails": 2.63, "fan": 2471.0, "fan_duty": 75 / 255},
        Firmware(hertz=(2_400_000_000, 2_400_000_000), commands={"pmic_read_adc": ADC}),
    ),
    "zero2w": Machine(
        ZERO2W, {"temperature": 44.008, "limit": 80.0, "clock": 0.6, "under_voltage": True, "word": 0x10001},
        Firmware(0x1, ignorant=frozenset({0x00030047, 0x00030003})),  # an old firmware
    ),
    "rock5": Machine(
        ROCK5 | clocks(1_800_000, 1_800_000, "0 1 2 3") | clocks(600_000, 2_400_000, "4 5 6 7", 4),
        {"temperature": 43.461, "limit": 75.0, "clock": 2400 / 4200},
    ),
    "laptop": Machine(
        zone(0, "acpitz", "27800", "sys/class")
        | zone(1, "x86_pkg_temp", "71000", "sys/class", critical=100000)
        | zone(2, "BAT0", "95000", "sys/class")
        | hwmon(0, "coretemp", temp1_input=72000, temp1_label="Package id 0")
        | {f"{HWMON}0/temp2_input": "90000\n", f"{HWMON}0/temp2_label": "Core 0\n"}
        | hwmon(1, "nvme", temp1_input=80000) | hwmon(2, "nct6775", temp1_input=127000, fan2_input=900)
        | supply("BAT0", type="Battery", present=1, status="Discharging", capacity=81, power_now=9_500_000)
        | supply("AC", type="Mains", online=0)
        | supply("hidpp_battery_0", type="Battery", scope="Device", capacity=5, status="Discharging"),
        {"temperature": 72.0, "limit": 85.0, "charge": 0.81, "draining": True, "power": 9.5, "plugged": False}
        | {"fan": 900.0},
    ),
    "pi4 with a gauge on a HAT": Machine(
        PI4 | zone(1, "sbs-1-000b", "90000", "sys/class")
        | supply("sbs-1-000b", type="Battery", present=1, status="Discharging", capacity=64)
        | {f"{POWER}/sbs-1-000b/current_now": "-650000\n", f"{POWER}/sbs-1-000b/voltage_now": "7400000\n"},
        {"temperature": 51.608, "limit": 80.0, "charge": 0.64, "draining": True, "power": 4.81},
    ),
    "a charge without a capacity": Machine(
        PI4 | supply("bq27441", type="Battery", status="Unknown", charge_now=500_000, charge_full=2_000_000)
        | supply("usb", type="USB", online=1),
        {"temperature": 51.608, "limit": 80.0, "charge": 0.25, "draining": False, "plugged": True},
    ),
    "pi4 with an INA219": Machine(
        PI4 | INA219,
        {"temperature": 51.608, "limit": 80.0, "voltage": 5.04, "power": 4.032, "under_voltage": False},
    ),
    "pi4 with an INA219 by IIO": Machine(
        PI4 | INA219_IIO,
        {"temperature": 51.608, "limit": 80.0, "voltage": 5.04, "power": 4.0, "under_voltage": False},
    ),
    "pi4 with an INA3221 on a battery": Machine(
        PI4 | hwmon(3, "ina3221", in1_input=3900, curr1_input=-1000, in2_input=3300, curr2_input=100),
        {"temperature": 51.608, "limit": 80.0, "power": 3.9},
    ),
    "pi4 with an LM75 and a Coral": Machine(
        PI4 | hwmon(1, "lm75", temp1_input=38500) | {"sys/class/apex/apex_0/temp": "61250\n"},
        {"temperature": 51.608, "limit": 80.0, "case": 38.5, "accelerator": 61.25},
    ),
    "a container": Machine({}, {}),
}  # fmt: skip
