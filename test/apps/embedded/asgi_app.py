"""Nothing for embedded mode."""


async def app(scope, receive, send):
    pass
