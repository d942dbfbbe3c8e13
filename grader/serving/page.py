"""The page: a tab to chat, and one for each milestone that has something to show."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any

from .model import Served
from .tabs import Tab

TITLE = "Scratchwork"


def page(served: Served, chat: Callable[..., Iterator[str]], tabs: list[Tab]) -> Any:
    """Return the page as Gradio's blocks."""
    import gradio

    with gradio.Blocks(title=TITLE, analytics_enabled=False, fill_height=True) as blocks:
        gradio.Markdown(f"# {TITLE}\n\n{served.says}")
        with gradio.Tab("Chat"):
            gradio.ChatInterface(
                chat,
                chatbot=gradio.Chatbot(label="Your model", render_markdown=False, height="60vh", buttons=["copy"]),
                textbox=gradio.Textbox(
                    placeholder=f"{served.begins} …", show_label=False, submit_btn=True, stop_btn=True
                ),
                analytics_enabled=False,
                concurrency_limit=4,
                api_name="chat",
            )
        for tab in tabs:
            with gradio.Tab(tab.title):
                show(tab)
    return blocks


def show(tab: Tab) -> None:
    """Add what one tab has: a text to write, a button, and what comes of it."""
    import gradio

    gradio.Markdown(tab.says)
    asked = gradio.Textbox(label=tab.asks, value=tab.example, lines=2)
    button = gradio.Button(tab.title, variant="primary")
    answer = gradio.Textbox(label=tab.answers, lines=4, interactive=False)
    # What comes at once needs no stream. Gradio 6.31 loses an answer whose request meets the end of the one before.
    streams = inspect.isgeneratorfunction(tab.answer)
    gradio.on([button.click, asked.submit], tab.answer, asked, answer, api_name=tab.id, queue=streams)
