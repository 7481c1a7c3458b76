"""A character device of one text: cuse.py NAME TEXT, again at each read. Speaks the kernel's CUSE protocol (include/uapi/linux/fuse.h) on /dev/cuse."""
import errno
import os
import struct
import sys

OPEN, READ, RELEASE, FLUSH, INTERRUPT, CUSE_INIT = 14, 15, 18, 25, 36, 4096
HEADER = struct.Struct("<IIQQIIIHH")  # len, opcode, unique, nodeid, uid, gid, pid, total_extlen, padding


def answer(cuse, unique, body=b"", error=0):
    os.write(cuse, struct.pack("<IiQ", 16 + len(body), -error, unique) + body)


def main():
    name, text = sys.argv[1], (sys.argv[2] + "\n").encode()
    cuse = os.open("/dev/cuse", os.O_RDWR)
    while True:
        request = os.read(cuse, 1 << 18)
        _, opcode, unique, *_ = HEADER.unpack_from(request)
        body = request[HEADER.size:]
        if opcode == CUSE_INIT:
            major, minor = struct.unpack_from("<II", body)
            # major, minor, unused, flags, max_read, max_write, dev_major, dev_minor, spare[10], then the device's name
            out = struct.pack("<IIIIIIII40x", major, min(minor, 31), 0, 0, 65536, 65536, 0, 0)
            answer(cuse, unique, out + f"DEVNAME={name}\0".encode())
        elif opcode == OPEN:
            answer(cuse, unique, struct.pack("<QII", 0, 0, 0))
        elif opcode == READ:
            _, offset, size = struct.unpack_from("<QQI", body)
            answer(cuse, unique, text[offset:offset + size])
        elif opcode in (RELEASE, FLUSH):
            answer(cuse, unique)
        elif opcode != INTERRUPT:
            answer(cuse, unique, error=errno.ENOSYS)


main()
