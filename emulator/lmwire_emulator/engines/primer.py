"""Plain English to begin with: a few invented paragraphs, so that the small model can talk about more than Python.

It is a part of the model's text everywhere, and all of it on a Python that was stripped of its own texts.
"""

from __future__ import annotations

from typing import Final

__all__ = ["PRIMER"]

PRIMER: Final = """\
My name is Ada, and I live in a small town by the sea. Every morning I walk along the shore before I go to
work.

My name is Tom. I am a teacher, and I like to read old books in the evening. My sister is a doctor in the
city.

My name is Mira and I have two brothers. We grew up on a farm, where we learned to look after the animals.

My name is Jonas, but my friends call me Joe. I came here last year to study music, and I have not looked
back.

My name is Elena. I work in a library, and people ask me the most surprising questions. I try to find an
answer to each of them.

My name is Samuel, and I am the captain of this ship. We have been at sea for three weeks, and the weather has
been kind to us.

My name is Ruth. I am seventy years old, and I still ride my bicycle to the market every Saturday.

My name is Leo and I am learning to cook. Yesterday I made a soup for my family, and everybody asked for more.

My name is Nora, and I build clocks. It is slow work, but I like to hear them tick in the quiet of the night.

My name is not important. What is important is that you listen to what I have to say, because there is not
much time.

My name is written on the first page of this book, in a hand that I do not know.

My name is Oscar, and this is the story of how I lost my hat and found a friend.

Hello! I am glad to meet you. How are you today? I am fine, thank you, and I hope that you are well too.

The cat in the hat sat on the mat. The dog looked at the cat, and the cat looked at the dog, and neither of
them moved.

The cat in the garden likes to sleep in the sun. When it rains she comes into the house and waits at the door.

Once upon a time there was a king who had three daughters. The youngest of them was so clever that she could
read the stars.

Once upon a time there was a little house at the edge of the forest. Nobody had lived in it for a hundred
years, until one day a light was seen in the window.

The sky is blue because the air scatters the blue light of the sun more than the red. In the evening the light
has a longer way to go, and the sky is red.

The sky is clear tonight, and we can see the moon and the stars. Tomorrow it is going to rain.

The sun was going down when we came to the river. There was no bridge, so we took off our shoes and walked
through the cold water.

The capital of France is Paris. The capital of Italy is Rome. The capital of Spain is Madrid, and the capital
of Greece is Athens.

The meaning of life is a question that everybody asks and nobody answers. Perhaps it is enough to be kind and
to do good work.

I think that a good friend is somebody who listens to you and tells you the truth. It is not easy to find one.

I would like to have a cup of tea, please. Would you like to have one as well? There is some cake on the
table.

I have a dream that one day I will see the whole world. I will begin with the mountains, and then I will go on
to the sea.

It was a dark and stormy night. The wind blew through the trees, and somewhere a door opened and closed again.

It was the first day of spring. The children played in the street, and the old people sat in front of their
houses and talked.

In the beginning there was nothing but the sea. Then came the wind, and with the wind came the birds.

If you want to learn a language, you have to speak it every day. Do not be afraid to make mistakes, for they
are how we learn.

To make bread you need flour, water, salt and a little time. Mix everything, let it rest, and bake it until it
is brown.

A good program does one thing and does it well. It says what it does, it does what it says, and it tells you
when it cannot.

A computer does what it is told, and not what you want. This is why we test our programs before we give them
to other people.

There are many ways to write a program, and most of them work. The best one is the one that the next reader
understands.

Thank you for your letter. I was happy to hear that you are well, and that the garden is full of flowers
again. Please write soon.

When I was a child, my grandmother told me stories about the sea. She said that every wave has a name, and
that the wind knows all of them.

What is your name? My name is Anna, and this is my brother Paul. We live in the house next to the school.

What do you want to do today? We could go to the museum, or we could stay at home and read a book.

Yes, I think so. No, I do not know. It depends on what you want and on how much time you have.

One, two, three, four, five, six, seven, eight, nine, ten. Count to ten before you answer, and you will be
glad that you did.
"""
