"""An ASGI application that answers with the address and certificates of the client, and spoils these; or waits."""


async def app(scope, receive, send):
    if scope["path"] == "/wait":
        while (await receive())["type"] != "http.disconnect":
            pass
        return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    tls = scope["extensions"].get("tls", {"client_cert_chain": []})
    certificates = "".join(tls["client_cert_chain"])
    tls["client_cert_chain"].append("spoilt")
    tls.clear()
    await send({"type": "http.response.body", "body": scope["client"][0].encode() + certificates.encode()})
