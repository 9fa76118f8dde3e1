use strict;
use threads;

my @threads = map { my $number = $_; threads->create(sub { $number * $number }) } 0 .. 3;
my $sum = 0;
$sum += $_->join for @threads;

my $child = fork // die;
exit 7 unless $child;
waitpid $child, 0;
die "the child" unless $? >> 8 == 7;

print "$sum\n";
