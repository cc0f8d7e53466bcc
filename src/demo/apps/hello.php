<?php
// PHP, by FastCGI: the process stays, but PHP forgets everything after each request.

$name = $_GET["name"] ?? "world";
$body = file_get_contents("php://input");

if (isset($_GET["wait"])) {
    sleep(1);
}

header("Content-Type: text/plain; charset=utf-8");
echo "Hello, $name!\n";
echo "Your request has a body of " . strlen($body) . " bytes.\n";
echo "I am process " . getmypid() . ". I cannot count my requests: no variable outlives one.\n";
