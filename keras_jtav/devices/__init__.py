"""What training runs on: one device, those of one machine, or those of several."""

from keras_jtav.devices.choice import check_devices, find_devices, join_processes
from keras_jtav.devices.one_device import Devices
from keras_jtav.devices.processes import Processes

__all__ = [
    "Devices",
    "Processes",
    "check_devices",
    "find_devices",
    "join_processes",
]
