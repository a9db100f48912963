# A BitTorrent client: libtorrent with nothing but the tracker.
# usage: bt_libtorrent.py ADDR:PORT TORRENT DIR

import signal
import sys
import libtorrent

addr, torrent, folder = sys.argv[1:]

session = libtorrent.session({
    "listen_interfaces": addr,
    "enable_dht": False,
    "enable_lsd": False,
    "enable_upnp": False,
    "enable_natpmp": False,
    "stop_tracker_timeout": 3,
    "unchoke_interval": 1,
    "alert_mask": libtorrent.alert.category_t.tracker_notification
    | libtorrent.alert.category_t.error_notification,
})

ended = []
signal.signal(signal.SIGTERM, lambda *_: ended.append(True))

handle = session.add_torrent(
    {"ti": libtorrent.torrent_info(torrent), "save_path": folder})

said = False
while not ended:
    session.wait_for_alert(50)
    for alert in session.pop_alerts():
        print(type(alert).__name__ + ":", alert.message(), file=sys.stderr,
              flush=True)
    if not said and handle.status().is_seeding:
        print("seeding", flush=True)
        said = True
