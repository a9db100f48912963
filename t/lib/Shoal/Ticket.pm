package Shoal::Ticket;

# Tickets as docs/protocol.md has them, made without Shoal's code.
#
#   my $text = ticket($key_hex, $id, $expires);    # EXPIRES.HMAC
#   my ($bare, $text) = bare($url);                # a URL without its ticket

use v5.36;
use Exporter qw(import);
use Digest::SHA qw(hmac_sha256_hex);

our @EXPORT_OK = qw(ticket bare);

sub ticket($key, $id, $expires) {
    return "$expires." . substr hmac_sha256_hex(
        "shoal-ticket1\n$id\n$expires\n", pack 'H*', $key), 0, 32;
}

# Without one: the URL alone.
sub bare($url) {
    return $url =~ /^(.*)[?&]t=([^&]*)$/ ? ($1, $2) : ($url);
}

1;
