// Hello world in Hono.
import { Hono } from "hono";

export default new Hono().get("/", (context) => context.text("Hello, world!\n"));
