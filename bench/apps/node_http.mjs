// The node handler of stacks/hello.mjs on node:http: node node_http.mjs PORT
import { createServer } from "node:http";
import hello from "../stacks/hello.mjs";

createServer(hello).listen(Number(process.argv[2]), "127.0.0.1");
