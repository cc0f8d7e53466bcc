#!/usr/bin/perl
# A form through CGI.pm: parameters, an uploaded file, a cookie.
use strict;
use warnings;
use CGI;

my $cgi  = CGI->new;
my $file = $cgi->upload('file');
my $size = 0;
if ($file) { $size += length while <$file>; }
print $cgi->header(-type => 'text/plain', -charset => 'utf-8', -cookie => $cgi->cookie(-name => 'seen', -value => 1));
print join '|', $cgi->request_method, scalar $cgi->param('name'), $size, $cgi->cookie('taste') // '';
