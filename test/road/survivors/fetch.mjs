// A fetch handler that says hello.
export default { fetch: () => new Response("Hello, World!") };
