"""An image of the disk, or of memory, is stored on the server and shown to a model that can see."""

import io
import sys
from pathlib import Path

import lmstudio as lms

KEY = "emulator/ngram-vision"
PATH = sys.argv[1]


def asked(*images: lms.FileHandle) -> lms.Chat:
    chat = lms.Chat()
    chat.add_user_message("Describe this image please", images=images)
    return chat


def show(handle: lms.FileHandle) -> None:
    print(handle.name, handle.file_type, handle.size_bytes)


def in_memory() -> io.BytesIO:
    return io.BytesIO(Path(PATH).read_bytes())


def convenience() -> None:
    image_handle = lms.prepare_image(PATH)
    show(image_handle)
    model = lms.llm(KEY)
    print(model.respond(asked(image_handle)))
    with open(PATH, "rb") as opened:
        show(lms.prepare_image(opened))
    print("".join(fragment.content for fragment in model.respond_stream(asked(image_handle))))


def scoped() -> None:
    with lms.Client() as client:
        image_handle = client.files.prepare_image(Path(PATH))
        show(image_handle)
        model = client.llm.model(KEY)
        print(model.respond(asked(image_handle)))
        show(client.prepare_image(Path(PATH).read_bytes(), "small.png"))
        print(
            model.respond(
                {"messages": [{"role": "user", "content": ["Describe it", image_handle.to_wire()]}]}
            )
        )


async def asynchronous() -> None:
    async with lms.AsyncClient() as client:
        image_handle = await client.files.prepare_image(PATH)
        show(image_handle)
        model = await client.llm.model(KEY)
        print(await model.respond(asked(image_handle)))
        show(await client.prepare_image(in_memory(), name="small.png"))
        print(await model.respond(asked(image_handle, image_handle)))
