#!/usr/bin/env perl
# The demonstration application as a CGI program in Perl: shows its environment and its standard input.
use strict;
use warnings;

my %entity = ('&' => '&amp;', '<' => '&lt;', '>' => '&gt;', '"' => '&quot;');

sub escape {
    my ($text) = @_;
    $text =~ s/([&<>"])/$entity{$1}/g;
    return $text;
}

my $rows = join '', map { '<tr><th>' . escape($_) . '</th><td>' . escape($ENV{$_}) . "</td></tr>\n" } sort keys %ENV;
my $body = '';
read STDIN, $body, $ENV{CONTENT_LENGTH} || 0;
$body = escape($body) || '(empty)';

print <<"PAGE";
Content-Type: text/html; charset=utf-8

<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>CGI in Perl</title><link rel="stylesheet" href="/style.css"></head><body>
<p><a href="/">all doors</a></p>
<h1>CGI in Perl</h1>
<p class="lead">A process for each request; process $$ was handed:</p>
<h2>Environment</h2>
<table>$rows</table>
<h2>Standard input</h2>
<form method="post"><input name="text" value="a request body"><button>Send</button></form>
<pre>$body</pre>
</body></html>
PAGE
