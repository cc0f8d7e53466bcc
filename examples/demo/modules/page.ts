// The page that both TypeScript applications of the demonstration show.

const ENTITIES: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };

const escaped = (text: string): string =>
  text.replace(/[&<>"]/g, (character) => ENTITIES[character] as string);

export interface Shown {
  title: string;
  lead: string;
  /** What the application was handed, by headings: names and values. */
  tables: Record<string, Iterable<readonly [string, string]>>;
  body: string;
}

export function page({ title, lead, tables, body }: Shown): string {
  const sections = Object.entries(tables).map(
    ([heading, rows]) => `<h2>${heading}</h2><table>${tableRows(rows)}</table>`,
  );
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>${title}</title><link rel="stylesheet" href="/style.css"></head><body>
<p><a href="/">all doors</a></p>
<h1>${title}</h1>
<p class="lead">${lead}</p>
${sections.join("\n")}
<h2>Body</h2>
<form method="post"><input name="text" value="a request body"><button>Send</button></form>
<pre>${escaped(body) || "(empty)"}</pre>
</body></html>
`;
}

const tableRows = (rows: Iterable<readonly [string, string]>): string =>
  [...rows].map(([name, value]) => `<tr><th>${escaped(name)}</th><td>${escaped(value)}</td></tr>`).join("\n");
