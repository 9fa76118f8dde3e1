while (my $line = <STDIN>) {
    print "hello $line";
}
