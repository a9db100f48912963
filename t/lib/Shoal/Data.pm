package Shoal::Data;

# Test files.

use v5.36;
use Digest::SHA;
use Exporter qw(import);
use Shoal::Env qw(spew);

our @EXPORT_OK = qw(make_file sha256_file file_size human_size);

# $size bytes that follow from $seed: AES-CTR over zeros.
sub make_file($path, $size, $seed = 1, $mtime = undef) {
    unlink $path;
    if ($size == 0) {
        spew($path, '');
    } else {
        my $key = substr Digest::SHA::sha256_hex("shoal $seed"), 0, 32;
        my $iv  = '0' x 32;
        my $st  = system 'sh', '-c',
            'head -c "$1" /dev/zero |'
            . ' openssl enc -aes-128-ctr -nosalt -K "$2" -iv "$3" > "$4"',
            'sh', $size, $key, $iv, $path;
        die "$path: openssl or a full disk\n" if $st || -s $path != $size;
    }
    utime $mtime, $mtime, $path if defined $mtime;
    return $path;
}

sub sha256_file($path) {
    my $sha = Digest::SHA->new(256);
    eval { $sha->addfile($path, 'b'); 1 } or return "none: $path: $!";
    return $sha->hexdigest;
}

sub file_size($path) { return -s $path // -1 }

sub human_size($bytes) {
    return sprintf '%.1f MiB', $bytes / 1048576 if $bytes >= 1048576;
    return sprintf '%.1f KiB', $bytes / 1024    if $bytes >= 1024;
    return "$bytes B";
}

1;
