#!/usr/bin/python3
"""One call of the Kubernetes container runtime interface (runtime.v1): cri.py SOCKET METHOD JSON prints the answer as JSON.

Only the messages and fields that the tests use are described, with their numbers in Kubernetes' api.proto; an answer's other
fields are passed over. It stands in for crictl, which Debian stable does not have.
"""

import json
import sys

import grpc

INT, STR, BYTES = "int", "str", "bytes"
NAMESPACES = {"network": (1, INT), "pid": (2, INT), "ipc": (3, INT)}
VALUE = {"value": (1, INT)}
RESOURCES = {
    "cpu_period": (1, INT), "cpu_quota": (2, INT), "cpu_shares": (3, INT), "memory_limit_in_bytes": (4, INT),
    "oom_score_adj": (5, INT), "cpuset_cpus": (6, STR), "cpuset_mems": (7, STR),
}
# a map is a repeated message in wire format
ANNOTATIONS = {"key": (1, STR), "value": (2, STR)}
POD = {
    "metadata": (1, {"name": (1, STR), "uid": (2, STR), "namespace": (3, STR), "attempt": (4, INT)}),
    "hostname": (2, STR), "log_directory": (3, STR), "annotations": (7, ANNOTATIONS),
    "linux": (8, {"cgroup_parent": (1, STR), "security_context": (2, {"namespace_options": (1, NAMESPACES)})}),
}
CONTAINER = {
    "metadata": (1, {"name": (1, STR), "attempt": (2, INT)}), "image": (2, {"image": (1, STR)}), "command": (3, STR),
    "args": (4, STR), "working_dir": (5, STR), "envs": (6, {"key": (1, STR), "value": (2, STR)}),
    "mounts": (7, {"container_path": (1, STR), "host_path": (2, STR), "readonly": (3, INT)}), "annotations": (10, ANNOTATIONS),
    "log_path": (11, STR),
    "linux": (15, {"resources": (1, RESOURCES), "security_context": (2, {
        "capabilities": (1, {"add": (1, STR), "drop": (2, STR)}), "privileged": (2, INT), "namespace_options": (3, NAMESPACES),
        "run_as_user": (5, VALUE), "readonly_rootfs": (7, INT), "supplemental_groups": (8, INT), "no_new_privs": (11, INT)})}),
}
OF_CONTAINER = {"container_id": (1, STR), "timeout": (2, INT)}
OF_POD = {"pod_sandbox_id": (1, STR)}
# method: request, answer
METHODS = {
    "Version": ({}, {"runtime_name": (2, STR)}),
    "RunPodSandbox": ({"config": (1, POD), "runtime_handler": (2, STR)}, OF_POD),
    "PodSandboxStatus": (OF_POD, {"status": (1, {"state": (3, INT), "network": (5, {"ip": (1, STR)})})}),
    "StopPodSandbox": (OF_POD, {}),
    "RemovePodSandbox": (OF_POD, {}),
    "ListPodSandbox": ({}, {"items": (1, {"id": (1, STR)})}),
    "CreateContainer": ({"pod_sandbox_id": (1, STR), "config": (2, CONTAINER), "sandbox_config": (3, POD)}, {"container_id": (1, STR)}),
    "StartContainer": (OF_CONTAINER, {}),
    "StopContainer": (OF_CONTAINER, {}),
    "RemoveContainer": (OF_CONTAINER, {}),
    "ContainerStatus": (OF_CONTAINER, {"status": (1, {"state": (3, INT), "exit_code": (7, INT), "reason": (10, STR)})}),
    "ContainerStats": (OF_CONTAINER, {"stats": (1, {"memory": (3, {"working_set_bytes": (2, VALUE)})})}),
    "UpdateContainerResources": ({"container_id": (1, STR), "linux": (2, RESOURCES)}, {}),
    "ExecSync": ({"container_id": (1, STR), "cmd": (2, STR), "timeout": (3, INT)}, {"stdout": (1, BYTES), "stderr": (2, BYTES), "exit_code": (3, INT)}),
}


def varint(number):
    """A number as protobuf writes it: seven bits a byte, least first; a negative one as its 64-bit two's complement."""
    number &= (1 << 64) - 1
    out = bytearray()
    while True:
        out.append((number & 0x7F) | (0x80 if number > 0x7F else 0))
        number >>= 7
        if not number:
            return bytes(out)


def encode(fields, message):
    """A message (a dictionary) in wire format; a list is a repeated field."""
    out = b""
    for name, value in message.items():
        number, kind = fields[name]
        for item in value if isinstance(value, list) else [value]:
            if kind == INT:
                out += varint(number << 3) + varint(int(item))
            else:
                data = encode(kind, item) if isinstance(kind, dict) else item.encode()
                out += varint(number << 3 | 2) + varint(len(data)) + data
    return out


def decode(fields, data):
    """The described fields of a message in wire format; a repeated message becomes a list."""
    names = {number: (name, kind) for name, (number, kind) in fields.items()}
    message, at = {}, 0

    def read():
        nonlocal at
        number = shift = 0
        while True:
            byte = data[at]
            at += 1
            number |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return number

    while at < len(data):
        key = read()
        if key & 7 == 0:
            value = read()
        else:
            length = {1: 8, 5: 4}.get(key & 7) or read()
            value, at = data[at:at + length], at + length
        name, kind = names.get(key >> 3, (None, None))
        if name is None:
            continue
        if isinstance(kind, dict):
            value = decode(kind, value)
        elif kind in (STR, BYTES):
            value = value.decode(errors="replace")
        message[name] = message[name] + [value] if name == "items" and name in message else [value] if name == "items" else value
    return message


def main():
    """One call; a refusal goes to standard error, with exit code 1."""
    socket, method, text = sys.argv[1:]
    request, answer = METHODS[method]
    with grpc.insecure_channel("unix://" + socket) as channel:
        call = channel.unary_unary(
            "/runtime.v1.RuntimeService/" + method,
            request_serializer=lambda message: encode(request, message),
            response_deserializer=lambda data: decode(answer, data),
        )
        try:
            print(json.dumps(call(json.loads(text), timeout=60)))
        except grpc.RpcError as error:
            sys.exit(f"{method}: {error.details()}")


if __name__ == "__main__":
    main()
