const line = document.getElementById("state");
const opened = () => new Set([...document.querySelectorAll("details[open] > summary")].map((one) => one.textContent));
const source = new EventSource("events");
source.onmessage = (event) => {
  const { page, state } = JSON.parse(event.data);
  const next = new DOMParser().parseFromString(page, "text/html");
  const open = opened();
  for (const place of ["header", "main"]) document.querySelector(place).replaceWith(next.querySelector(place));
  for (const summary of document.querySelectorAll("details > summary")) {
    summary.parentElement.open = open.has(summary.textContent);
  }
  document.title = next.title;
  line.textContent = state;
};
source.onerror = () => {
  line.textContent = "The watch has ended; this is what it said last.";
};
