# SPDX-License-Identifier: MIT
# Copyright the OAC authors
"""What a guest may ask of the host, by a line on its second serial port.

"# ctl cardN {...}" goes to a card's control socket, "# hmp LINE" to QEMU's
monitor. Each is answered with one line of JSON that has a member "ok".
"""

import json
import re
import socket

ANSWER_S = 20
# All of the monitor that tests need: it could end or change the machine.
HMP_ALLOWED = re.compile(r"pcie_aer_inject_error (?:-[ac] )*[\w-]+ \w+( \w+)*")


def compact(answer):
    """As the emulator writes it: tests look for words in it."""
    return json.dumps(answer, separators=(",", ":"))


def refusal(why):
    return compact({"ok": False, "error": why})


def read_line(door):
    line = b""
    while not line.endswith(b"\n"):
        piece = door.recv(65536)
        if not piece:
            break
        line += piece
    return line.decode().strip()


def connect(path):
    door = socket.socket(socket.AF_UNIX)
    door.settimeout(ANSWER_S)
    door.connect(str(path))
    return door


def ask_card(scratch, card, request):
    """What a card's control socket answers."""
    with connect(scratch / f"card{card}.ctl") as door:
        door.sendall(request.encode() + b"\n")
        return read_line(door)


def qmp(door, command, **arguments):
    """One command of QEMU's machine protocol; events may come before its answer."""
    door.sendall(json.dumps({"execute": command, "arguments": arguments})
                 .encode() + b"\n")
    while True:
        answer = json.loads(read_line(door))
        if "return" in answer or "error" in answer:
            return answer


def ask_monitor(scratch, line):
    """The monitor's words; whether it did it is for the guest to see."""
    if not HMP_ALLOWED.fullmatch(line):
        return refusal("of the monitor only pcie_aer_inject_error is allowed")
    with connect(scratch / "qmp.sock") as door:
        read_line(door)
        qmp(door, "qmp_capabilities")
        answer = qmp(door, "human-monitor-command", **{"command-line": line})
    said = answer.get("return", answer.get("error"))
    # "OK id: ... root bus: ..., bus: ... devfn: ..."
    return compact({"ok": str(said).startswith("OK "), "said": said})


def is_request(line):
    return line.startswith(("# ctl ", "# hmp "))


def answer(scratch, line):
    """The line to write back, with its end."""
    try:
        found = re.fullmatch(r"# ctl card(\d+) (\{.*\})", line)
        if found:
            said = ask_card(scratch, *found.groups())
        elif line.startswith("# hmp "):
            said = ask_monitor(scratch, line[6:].strip())
        else:
            said = refusal("expected: # ctl cardN {...}")
    except (OSError, ValueError) as error:
        said = refusal(str(error))
    return said.encode() + b"\n"
