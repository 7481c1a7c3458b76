"""Reads QEMU's edu card through VFIO: vfio.py GROUP CARD. Numbers are those of include/uapi/linux/vfio.h."""
import fcntl
import mmap
import os
import struct
import sys

GET_API_VERSION, SET_IOMMU, TYPE1 = 0x3B64, 0x3B66, 1
GROUP_GET_STATUS, GROUP_SET_CONTAINER, GROUP_GET_DEVICE_FD = 0x3B67, 0x3B68, 0x3B6A
DEVICE_GET_REGION_INFO, BAR0, CONFIG = 0x3B6C, 0, 7


def region(device, index):
    info = bytearray(struct.pack("=IIIIQQ", 32, 0, index, 0, 0, 0))
    fcntl.ioctl(device, DEVICE_GET_REGION_INFO, info)
    return struct.unpack("=IIIIQQ", info)[5]


container = os.open("/dev/vfio/vfio", os.O_RDWR)
group = os.open("/dev/vfio/" + sys.argv[1], os.O_RDWR)
assert fcntl.ioctl(container, GET_API_VERSION) == 0
status = bytearray(struct.pack("=II", 8, 0))
fcntl.ioctl(group, GROUP_GET_STATUS, status)
assert struct.unpack("=II", status)[1] & 1, "the group is not viable"
fcntl.ioctl(group, GROUP_SET_CONTAINER, struct.pack("i", container))
fcntl.ioctl(container, SET_IOMMU, TYPE1)
device = fcntl.ioctl(group, GROUP_GET_DEVICE_FD, bytearray(sys.argv[2].encode() + b"\0"))
vendor, model = struct.unpack("<HH", os.pread(device, 4, region(device, CONFIG)))
# memory space on, or the BAR does not answer
command = os.pread(device, 2, region(device, CONFIG) + 4)
os.pwrite(device, bytes([command[0] | 2, command[1]]), region(device, CONFIG) + 4)
card = memoryview(mmap.mmap(device, 4096, offset=region(device, BAR0))).cast("I")
card[1] = 0xFF  # the card answers with the inverse
print(f"vendor {vendor:04x} device {model:04x} identification {card[0]:08x} inverted {card[1]:08x}")
