# A BitTorrent client as good as libtorrent can be made for a crowd that starts
# together: it knows all others from the first moment, keeps its request queue
# short, and uploads to everybody.
# usage: bt_tuned.py ADDR:PORT TORRENT DIR [PEER:PORT]...
# Says "done SECONDS" (of the monotonic clock) when it has all; on SIGTERM
# "uploaded BYTES", and ends.

import signal
import sys
import time

import libtorrent

addr, torrent, folder = sys.argv[1:4]
peers = [tuple(p.rsplit(":", 1)) for p in sys.argv[4:]]

session = libtorrent.session({
    "listen_interfaces": addr,
    "outgoing_interfaces": addr.rsplit(":", 1)[0],
    "enable_dht": False,
    "enable_lsd": False,
    "enable_upnp": False,
    "enable_natpmp": False,
    "enable_outgoing_utp": False,
    "enable_incoming_utp": False,
    "allow_multiple_connections_per_ip": True,
    "rate_limit_ip_overhead": False,
    "connection_speed": 500,
    "connections_limit": 500,
    "unchoke_slots_limit": -1,
    "unchoke_interval": 1,
    "request_queue_time": 1,
    "max_out_request_queue": 16,
    "send_buffer_watermark": 128 * 1024,
    "send_buffer_watermark_factor": 50,
    "piece_extent_affinity": False,
    "whole_pieces_threshold": 1,
    "predictive_piece_announce": 0,
    "stop_tracker_timeout": 1,
    "alert_mask": libtorrent.alert.category_t.status_notification,
})

ended = []
signal.signal(signal.SIGTERM, lambda *_: ended.append(True))

handle = session.add_torrent({
    "ti": libtorrent.torrent_info(torrent),
    "save_path": folder,
    "flags": libtorrent.torrent_flags.default_flags
    & ~libtorrent.torrent_flags.auto_managed
    & ~libtorrent.torrent_flags.paused,
})
for host, port in peers:
    handle.connect_peer((host, int(port)))

done = False
while not ended:
    session.wait_for_alert(5 if not done else 200)
    session.pop_alerts()
    if not done and handle.status().is_seeding:
        print("done %.6f" % time.monotonic(), flush=True)
        done = True
print("uploaded %d" % handle.status().total_payload_upload, flush=True)
