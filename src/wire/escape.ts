// Escapes text for log lines and terminals: control bytes could end a line early or drive a terminal (CWE-117).

const CONTROLS = /[\x00-\x1f\x7f-\x9f\u2028\u2029]/g;
const QUOTED = /[\x00-\x1f\x7f-\x9f\u2028\u2029"\\]/g;
const FIELD = /[^\x20\x21\x23-\x5b\x5d-\x7e]/g;
/** Matches what `escapeField` would replace: a test is faster than a replacement of nothing. */
export const UNQUOTABLE = /[^\x20\x21\x23-\x5b\x5d-\x7e]/;
const NAMES: Readonly<Record<string, string>> = {
  "\n": "\\n",
  "\r": "\\r",
  "\t": "\\t",
  '"': '\\"',
  "\\": "\\\\",
};

const escaped = (character: string): string => {
  const code = character.charCodeAt(0);
  return NAMES[character] ?? (code < 256 ? `\\x${hex(code, 2)}` : `\\u${hex(code, 4)}`);
};

const hex = (code: number, width: number): string => code.toString(16).padStart(width, "0");

/** Control characters become `\x1b` and the like; all else stays. */
export const escapeControls = (text: string): string => text.replace(CONTROLS, escaped);

/** For between double quotes: controls, quotes and backslashes are escaped. */
export const escapeQuoted = (text: string): string => text.replace(QUOTED, escaped);

/** For the access log, as Apache does it: what is not printable ASCII is escaped, too. A character is a byte of the client's. */
export const escapeField = (text: string): string => text.replace(FIELD, escaped);
