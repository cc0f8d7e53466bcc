-- Makes wrk send POST with a body of so many bytes: wrk -s post.lua URL -- BYTES
function init(arguments)
  wrk.method = "POST"
  wrk.headers["Content-Type"] = "application/octet-stream"
  wrk.body = string.rep("u", tonumber(arguments[1]))
end
