die "broken";
