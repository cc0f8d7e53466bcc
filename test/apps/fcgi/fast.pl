#!/usr/bin/env perl
# The same with CGI::Fast: what many sites were written with.
use strict;
use warnings;
use CGI::Fast;

while (my $cgi = CGI::Fast->new) {
    print $cgi->header(-type => 'text/plain', -charset => 'utf-8', -cookie => [ $cgi->cookie(-name => 'a', -value => 1), $cgi->cookie(-name => 'b', -value => 2) ]);
    my $file = $cgi->upload('file');
    my $size = 0;
    while ($file and my $read = read($file, my $piece, 65536)) { $size += $read }
    print join ' ', $cgi->request_method, $cgi->param('name') // '', $size;
}
