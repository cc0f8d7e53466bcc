// A node handler that says hello.
export default (_request, response) => {
  response.setHeader("Content-Type", "text/plain");
  response.end("Hello, World!");
};
