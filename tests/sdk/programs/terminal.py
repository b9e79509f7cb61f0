"""A model that plays a terminal, until the input ends."""

import lmstudio as lms


def main() -> None:
    model = lms.llm()
    history: list[str] = []
    while True:
        try:
            command = input("$ ")
        except EOFError:
            print()
            break
        if command.strip() == "exit":
            break
        history.append(f"$ {command}")
        stream = model.complete_stream("\n".join(history), config={"stopStrings": ["$"]})
        for fragment in stream:
            print(fragment.content, end="", flush=True)
        print()
        history.append(stream.result().content)
