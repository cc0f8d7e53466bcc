// Hello world in Hono, whose Responses are made without streams.
import { useQuickResponses } from "sallyport/apps";

useQuickResponses();

export { default } from "./hono_hello.mjs";
