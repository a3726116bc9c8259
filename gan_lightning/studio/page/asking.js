// Requests to the studio, and the one line in which an error is shown.

export const byId = (id) => document.getElementById(id);

export function show(message) {
  byId("message").textContent = message || "";
  byId("message").hidden = !message;
}

async function answer(path, options, read) {
  const response = await fetch(path, { method: "POST", ...options });
  if (!response.ok) {
    const told = await response.json().catch(() => ({}));
    throw new Error(told.error || `The studio answered ${response.status}.`);
  }
  return read(response);
}

export const ask = (name, given = {}, read = (response) => response.json()) =>
  answer(`/api/${name}`, { body: JSON.stringify(given), headers: { "content-type": "application/json" } }, read);

export const send = (name, given, file) =>
  answer(`/api/${name}?${new URLSearchParams(given)}`, { body: file }, (response) => response.json());

// Ask for a file, and save it.
export async function save(name, given, file) {
  const content = await ask(name, given, (response) => response.blob());
  const link = element("a", { href: URL.createObjectURL(content), download: file });
  link.click();
  URL.revokeObjectURL(link.href);
}

// Do something, and tell of what goes wrong.
export async function attempt(work) {
  try {
    await work();
    show("");
    return true;
  } catch (error) {
    show(error.message);
    return false;
  }
}

// One request at a time, and the newest wish after it: a slider that moves fast asks for no queue of pictures.
export function newest(work) {
  let running = false, again = false;
  return async function run() {
    if (running) { again = true; return; }
    running = true;
    do { again = false; await attempt(work); } while (again);
    running = false;
  };
}

export function dropZone(zone, take) {
  const input = zone.querySelector("input");
  input.addEventListener("change", () => { if (input.files[0]) take(input.files[0]); input.value = ""; });
  zone.addEventListener("dragover", (event) => { event.preventDefault(); zone.classList.add("over"); });
  zone.addEventListener("dragleave", () => zone.classList.remove("over"));
  zone.addEventListener("drop", (event) => {
    event.preventDefault();
    zone.classList.remove("over");
    if (event.dataTransfer.files[0]) take(event.dataTransfer.files[0]);
  });
}

export function showGiven(zone, given) {
  const image = zone.querySelector("img");
  image.src = given.picture;
  image.hidden = false;
  zone.querySelector("span").hidden = true;
}

export function element(name, properties = {}, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children);
  return made;
}
