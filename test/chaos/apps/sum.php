<?php // Answers a body's checksum and length, and the id of the request.
$body = file_get_contents("php://input");
header("Content-Type: text/plain");
echo crc32($body), " ", strlen($body), " ", $_SERVER["QUERY_STRING"];
