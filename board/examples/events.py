"""Prints events: events.py [PATH [REQUEST]], such as events.py /run/sureplug/events SUBSYSTEM=usb"""
import contextlib
import socket
import sys

path, request, *_ = sys.argv[1:] + ["/run/sureplug/events", "SNAPSHOT=yes"][len(sys.argv) - 1:] + [""]
broker = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
broker.connect(path)
with contextlib.suppress(BrokenPipeError):  # the daemon has refused; its reason follows
    broker.send(request.encode())
while packet := broker.recv(4096):
    header, *properties = packet.split(b"\0")[:-1]
    event = dict(p.decode(errors="backslashreplace").split("=", 1) for p in reversed(properties))
    print(event["ACTION"], event["SUBSYSTEM"], event["DEVPATH"], event.get("DEVNAME", ""), flush=True)
