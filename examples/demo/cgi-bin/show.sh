#!/bin/sh
# The demonstration application as a CGI program in shell: shows its environment and its standard input.

escape() { sed 's/&/\&amp;/g; s/</\&lt;/g; s/>/\&gt;/g; s/"/\&quot;/g'; }

# awk sees each variable whole, also one with line breaks in its value.
rows() {
  awk '
    function escape(text) {
      gsub(/&/, "\\&amp;", text); gsub(/</, "\\&lt;", text); gsub(/>/, "\\&gt;", text); gsub(/\n/, "\\&#10;", text)
      return text
    }
    BEGIN {
      for (name in ENVIRON)
        if (name !~ /^AWK/) printf "<tr><th>%s</th><td>%s</td></tr>\n", escape(name), escape(ENVIRON[name])
    }' | LC_ALL=C sort
}

cat <<PAGE
Content-Type: text/html; charset=utf-8

<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>CGI in shell</title><link rel="stylesheet" href="/style.css"></head><body>
<p><a href="/">all doors</a></p>
<h1>CGI in shell</h1>
<p class="lead">A process for each request; process $$ was handed:</p>
<h2>Environment</h2>
<table>$(rows)</table>
<h2>Standard input</h2>
<form method="post"><input name="text" value="a request body"><button>Send</button></form>
<pre>$(head -c "${CONTENT_LENGTH:-0}" | escape)</pre>
</body></html>
PAGE
