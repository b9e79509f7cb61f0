"""What makes the text: an interface (``base``), a small real model (``ngram``), exact replies (``scripted``)."""
