"""Waits for one interrupt of QEMU's edu card through UIO: uio.py NODE [FOLDER], with the card's register files in FOLDER (/mnt)."""
import mmap
import os
import select
import struct
import sys

RAISE, ACKNOWLEDGE = 0x60, 0x64
uio = os.open(sys.argv[1], os.O_RDWR)
folder = sys.argv[2] if len(sys.argv) > 2 else "/mnt"
bar = os.open(folder + "/resource0", os.O_RDWR)
card = memoryview(mmap.mmap(bar, 4096)).cast("I")
card[RAISE // 4] = 1
ready, _, _ = select.select([uio], [], [], 30)
count = struct.unpack("i", os.read(uio, 4))[0] if ready else 0
card[ACKNOWLEDGE // 4] = 1
print("interrupts:", count)
