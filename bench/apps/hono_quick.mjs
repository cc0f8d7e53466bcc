// Hello world in Hono, whose Requests and Responses are made without what it does not use.
import { useFastRequests, useFastResponses } from "sallyport/apps";

useFastRequests();
useFastResponses();

export { default } from "./hono_hello.mjs";
