"""usage: torrent_v2.py FILE PIECE-SIZE

Prints the pieces root and the SHA-256 of the piece layer ("-" where there
is none) of FILE, as a v2 torrent made by libtorrent has them.
"""

import hashlib
import os
import sys

import libtorrent as lt

path, piece_size = sys.argv[1], int(sys.argv[2])
folder, name = os.path.split(os.path.abspath(path))

fs = lt.file_storage()
fs.add_file(name, os.path.getsize(path))
torrent = lt.create_torrent(fs, piece_size, flags=lt.create_torrent.v2_only)
lt.set_piece_hashes(torrent, folder)
made = torrent.generate()

assert made[b"info"][b"piece length"] == piece_size
root = made[b"info"][b"file tree"][name.encode()][b""][b"pieces root"]
layer = made[b"piece layers"].get(root)
print(root.hex(), hashlib.sha256(layer).hexdigest() if layer else "-")
