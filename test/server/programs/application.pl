#!/usr/bin/perl
# A FastCGI application that a server spawns: says who asked, and what it was given.
use strict;
use warnings;
use FCGI;
my $greeting = $ENV{GREETING} // "";    # each request brings an environment of its own
my $request = FCGI::Request();
while ($request->Accept() >= 0) {
  my $place = join "|", map { $ENV{$_} // "" } qw(SCRIPT_NAME PATH_INFO EXTRA);
  if ($ENV{PATH_INFO} eq "/redirect") { print "Location: /elsewhere?from=perl\r\n\r\n" }
  elsif ($ENV{PATH_INFO} eq "/circle") { print "Location: $ENV{SCRIPT_NAME}/circle\r\n\r\n" }
  else { print "Content-Type: text/plain\r\n\r\n$place|$greeting" }
}
