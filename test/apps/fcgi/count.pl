#!/usr/bin/env perl
# A FastCGI application as Perl has them: one process, a loop, a variable that lasts from request to request.
use strict;
use warnings;
use FCGI;

my $count = 0;
my $request = FCGI::Request();
my %ways = (
    '/count'  => sub { head(); print ++$count },
    '/body'   => sub { head(); my $size = 0; while (my $read = read(STDIN, my $piece, 65536)) { $size += $read } print $size },
    '/say'    => sub { print STDERR "said by Perl\n"; head(); print "said" },
    '/show'   => sub { head(); print "$ENV{REQUEST_METHOD} $ENV{SCRIPT_NAME} $ENV{PATH_INFO} $ENV{QUERY_STRING}" },
    '/large'  => sub { head(); print 'x' x 65536 for 1 .. 160 },
    '/die'    => sub { exit 3 },
    '/midway' => sub { head(); print 'partial'; $request->Flush(); kill 'KILL', $$ },
);

sub head { print "Content-Type: text/plain\r\n\r\n" }

while ($request->Accept() >= 0) {
    ($ways{$ENV{PATH_INFO}} // sub { print "Status: 404 Not Found\r\n\r\n" })->();
}
