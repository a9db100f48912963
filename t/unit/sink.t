use v5.36;
use Shoal::Unit;
Shoal::Unit::run('sink');
