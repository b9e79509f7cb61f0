"""A conversation: asked, answered, gone on with; streamed, in a shape, and as the model gets to see it."""

import lmstudio as lms


def conversation() -> lms.Chat:
    chat = lms.Chat("You are a resident AI philosopher.")
    chat.add_user_message("What is the meaning of life?")
    return chat


def show(chat: lms.Chat) -> None:
    print([message["role"] for message in chat.to_wire()["messages"]])


def convenience() -> None:
    model = lms.llm()
    print(model.respond("Hello"))
    chat = conversation()
    stream = model.respond_stream(chat, on_message=chat.append)
    print("".join(fragment.content for fragment in stream))
    print(stream.result().stats.stop_reason)
    chat.add_user_message("Why?")
    chat.add_assistant_response(model.respond(chat))
    show(chat)
    print(model.apply_prompt_template(chat).count("why indeed"))


def scoped() -> None:
    with lms.Client() as client:
        model = client.llm.model()
        print(model.respond({"messages": [{"role": "user", "content": "Hello"}]}))
        chat = conversation()
        with model.respond_stream(chat, on_message=chat.append) as stream:
            print("".join(fragment.content for fragment in stream))
        print(stream.result().stats.stop_reason)
        chat.add_user_message("Why?")
        chat.add_assistant_response(model.respond(chat))
        show(chat)
        print(model.apply_prompt_template(chat).count("why indeed"))


async def asynchronous() -> None:
    async with lms.AsyncClient() as client:
        model = await client.llm.model()
        print(await model.respond(lms.Chat.from_history("Hello")))
        chat = conversation()
        stream = await model.respond_stream(chat, on_message=chat.append)
        print("".join([fragment.content async for fragment in stream]))
        print(stream.result().stats.stop_reason)
        chat.add_user_message("Why?")
        chat.add_assistant_response(await model.respond(chat))
        show(chat)
        print((await model.apply_prompt_template(chat)).count("why indeed"))
