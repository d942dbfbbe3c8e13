"""Runs inside the worker: a student's m17, m18 and m07 as one. Planted there as text; imports only what is there."""

import importlib

import torch

made: dict = {}


def part(milestone, name):
    """Return a name out of one of the student's modules."""
    return getattr(importlib.import_module(f"exercises.{milestone}"), name)


def index(sections, size, overlap):
    """Cut sections (title, text) into chunks and index them; return (section, start, end) of each chunk."""
    chunk, pieces = part("m17_retriever", "chunk"), []
    for number, (_, text) in enumerate(sections):
        pieces += [(number, piece.start, piece.end) for piece in chunk(text, size, overlap)]
    made["sections"] = [number for number, _, _ in pieces]
    made["passages"] = [f"{sections[number][0]}. {sections[number][1][start:end]}" for number, start, end in pieces]
    made["index"] = part("m17_retriever", "BM25")(made["passages"])
    return pieces


def search(question, k):
    """Return the numbers of the k best chunks."""
    return [number for number, _ in made["index"].search(question, k)]


def reply(question, k, budget, write, count):
    """Answer a question; return the text, the chunks that it cites, those in the prompt, and its quotations."""
    found: list[int] = []

    def retrieve(asked, most):
        found[:] = search(asked, most)
        return [made["passages"][number] for number in found]

    answer = part("m18_rag", "answer")(question, retrieve, write, k, budget, count)
    passages = [made["passages"][number] for number in found]
    shown = part("m18_rag", "build_prompt")(question, passages, budget, count)[1] if found else []
    said = answer.text if type(answer.text) is str else ""  # which the judge refuses
    quotes = part("m18_rag", "check_quotes")(said, [passages[place] for place in shown])
    cited = [found[source] for source in answer.sources]
    return answer.text, cited, [found[place] for place in shown], [bool(there) for _, _, there in quotes]


def recall(questions, relevant, k):
    """Return recall at k, by sections: the student's measure of the student's search."""
    rankings = [[made["sections"][number] for number in search(question, k)] for question in questions]
    return part("m17_retriever", "recall_at_k")(rankings, [set(one) for one in relevant], k)


def prompt(question, k, budget, count):
    """Return a prompt within a model's context."""
    passages = [made["passages"][number] for number in search(question, k)]
    return part("m18_rag", "build_prompt")(question, passages, budget, count)[0]


def go_on(model, ids, new, context_length, stop, seed):
    """Have a model go on from ids; return the new ones."""
    text = part("m07_generation", "generate")(
        model,
        torch.tensor([ids]),
        new,
        context_length=context_length,
        temperature=0.7,
        top_k=40,
        stop_tokens=(stop,),
        generator=torch.Generator().manual_seed(seed),
    )
    return [token for token in text[0, len(ids) :].tolist() if token != stop]
