// PEP 3333 in embedded mode on the CPython that the environment names: a process holds one only.
import { contract } from "../protocols/wsgi/contract.ts";

contract({ python: process.env.EMBEDDED_PYTHON as string, mode: "embedded" });
