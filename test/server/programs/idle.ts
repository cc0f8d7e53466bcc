// Keeps its process alive by itself, as an app with a pool of connections does.
import { serve } from "sallyport";

setInterval(() => {}, 3_600_000);
await serve(() => new Response("still here"));
