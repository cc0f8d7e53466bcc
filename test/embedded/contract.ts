// PEP 3333 in embedded mode on the CPython that the environment names: a process holds one only.
import { describe } from "node:test";
import { contract } from "../protocols/wsgi/contract.ts";
import { raising } from "../protocols/wsgi/raising.ts";

const options = { python: process.env.EMBEDDED_PYTHON as string, mode: "embedded" } as const;
describe("what applications raise", () => raising(options));
contract(options);
