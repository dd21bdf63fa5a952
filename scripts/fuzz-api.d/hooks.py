"""What schemathesis cannot know of the document: how the pieces of uploads are written."""

import schemathesis


@schemathesis.serializer("application/offset+octet-stream")
def piece(ctx, value):
    return value if isinstance(value, bytes) else str(value).encode()
