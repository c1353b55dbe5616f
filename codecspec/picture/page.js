// The page: folding, search, zoom, and details of a box. GRAPH and STYLE stand before this.
const byId = (id) => document.getElementById(id);
const READABLE = 0.85; // no smaller unless asked; larger pictures scroll
SHOW.folds = true;
const stage = byId("picture");
const state = { folds: {}, zoom: 1, chosen: null, hits: [], current: -1 };
const boxes = new Map(); // id -> { box, above: ids of the boxes around it }

function index(box, above) {
  if (box.id !== "") boxes.set(box.id, { box, above });
  for (const child of box.children || []) index(child, box.id === "" ? [] : [...above, box.id]);
}

function render() {
  stage.innerHTML = picture(GRAPH, state.folds, STYLE);
  scale();
  stage.querySelector("svg").setAttribute("role", "group"); // not an image: what is in it can be reached
  for (const group of groups()) {
    const { box } = boxes.get(group.dataset.id);
    group.setAttribute("tabindex", "-1");
    group.setAttribute("role", "group");
    group.setAttribute("aria-label", [box.title, box.meaning, ...lines(box)].filter(Boolean).join(", "));
    group.classList.toggle("hit", state.hits.includes(group.dataset.id));
    group.classList.toggle("current", state.hits[state.current] === group.dataset.id);
    group.classList.toggle("chosen", state.chosen === group.dataset.id);
    if (group.classList.contains("foldable")) {
      group.setAttribute("tabindex", "0");
      group.setAttribute("role", "button");
      group.setAttribute("aria-expanded", String(group.classList.contains("open")));
    }
  }
}

function groups() {
  return stage.querySelectorAll("g[data-id]");
}

function groupOf(id) {
  return [...groups()].find((group) => group.dataset.id === id);
}

function scale() {
  const svg = stage.querySelector("svg");
  const [, , width, height] = svg.getAttribute("viewBox").split(" ").map(Number);
  svg.setAttribute("width", width * state.zoom);
  svg.setAttribute("height", height * state.zoom);
}

function zoomTo(zoom, x = stage.clientWidth / 2, y = stage.clientHeight / 2) {
  const next = Math.min(4, Math.max(0.05, zoom));
  const ratio = next / state.zoom;
  const left = (stage.scrollLeft + x) * ratio - x;
  const top = (stage.scrollTop + y) * ratio - y;
  state.zoom = next;
  scale();
  stage.scrollTo(left, top);
}

function fit(smallest = 0) {
  const [, , width, height] = stage.querySelector("svg").getAttribute("viewBox").split(" ").map(Number);
  state.zoom = Math.max(smallest, Math.min(1, stage.clientWidth / width, stage.clientHeight / height));
  scale();
}

function setFold(id, folded) {
  state.folds[id] = folded;
}

function toggleFold(id) {
  const before = groupOf(id).getBoundingClientRect();
  setFold(id, !isFolded(boxes.get(id).box, state.folds));
  render();
  const after = groupOf(id).getBoundingClientRect(); // the box stays under the pointer
  stage.scrollBy(after.left - before.left, after.top - before.top);
}

function foldAll(folded) {
  for (const [id, { box }] of boxes) if ((box.children || []).length) setFold(id, folded);
  render();
  present();
}

// At a size that can be read, with the image that comes in, on the left, in view.
function present() {
  fit(READABLE);
  const [first, place] = [groupOf("x").getBoundingClientRect(), stage.getBoundingClientRect()];
  const tall = stage.scrollHeight > stage.clientHeight;
  stage.scrollTo(0, tall ? stage.scrollTop + (first.top + first.bottom - place.top - place.bottom) / 2 : 0);
}

function words(box) {
  return [box.id, box.title, box.meaning, box.kind, box.says, box.fields, box.flow].filter(Boolean).join(" ").toLowerCase();
}

function search(query) {
  const wanted = query.trim().toLowerCase();
  state.hits = wanted ? [...boxes].filter(([, { box }]) => words(box).includes(wanted)).map(([id]) => id) : [];
  state.current = -1;
  byId("found").value = wanted ? `${state.hits.length} found` : "";
  if (state.hits.length) goTo(0);
  else render();
}

function goTo(which) {
  state.current = (which + state.hits.length) % state.hits.length;
  const id = state.hits[state.current];
  for (const above of boxes.get(id).above) setFold(above, false);
  state.zoom = Math.max(state.zoom, READABLE);
  render();
  choose(id);
  byId("found").value = `${state.current + 1} of ${state.hits.length}`;
  groupOf(id).scrollIntoView({ block: "center", inline: "center" });
}

function choose(id) {
  state.chosen = id;
  for (const group of groups()) group.classList.toggle("chosen", group.dataset.id === id);
  const { box } = boxes.get(id);
  const list = document.createElement("dl");
  const rows = [
    ["path", box.id], ["kind", box.kind], ["what", box.meaning],
    ["fields", box.fields], [box.shape === "value" ? "what" : "contains", box.fields ? "" : box.says],
    [box.kind === "slice" ? "support" : "channels @ resolution", arrow(box.flow)],
    ["parameters", box.parameters && box.parameters.toLocaleString("en")],
    ["kMAC per pixel", box.kmacs && box.kmacs.toFixed(3)],
  ];
  for (const [name, value] of rows) {
    if (!value) continue;
    const term = document.createElement("dt");
    const said = document.createElement("dd");
    term.textContent = name;
    said.textContent = value;
    list.append(term, said);
  }
  byId("details").replaceChildren(list);
}

function light(id) {
  const edges = [...stage.querySelectorAll("path.edge")];
  const near = edges.filter((edge) => edge.dataset.from === id || edge.dataset.to === id);
  const among = near.length ? near[0].parentNode : null;
  for (const edge of edges) {
    edge.classList.toggle("lit", near.includes(edge));
    edge.classList.toggle("dim", edge.parentNode === among && !near.includes(edge));
  }
}

stage.addEventListener("keydown", (event) => {
  const group = event.target.closest("g[data-id]");
  if (!group) return;
  const step = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 }[event.key];
  if (step) {
    const shown = [...groups()];
    const next = shown[shown.indexOf(group) + step];
    if (next) focusOn(next.dataset.id);
  } else if ((event.key === "Enter" || event.key === " ") && group.classList.contains("foldable")) {
    toggleFold(group.dataset.id);
    focusOn(group.dataset.id);
  } else return;
  event.preventDefault();
});

function focusOn(id) {
  choose(id);
  groupOf(id).focus({ preventScroll: true });
  groupOf(id).scrollIntoView({ block: "nearest", inline: "nearest" });
}

let press = null;
stage.addEventListener("pointerdown", (event) => {
  press = { x: event.clientX, y: event.clientY, left: stage.scrollLeft, top: stage.scrollTop, moved: false };
});
window.addEventListener("pointermove", (event) => {
  if (!press || !(event.buttons & 1)) return;
  press.moved ||= Math.hypot(event.clientX - press.x, event.clientY - press.y) > 4;
  if (press.moved) {
    stage.classList.add("dragging");
    stage.scrollTo(press.left + press.x - event.clientX, press.top + press.y - event.clientY);
  }
});
window.addEventListener("pointerup", () => stage.classList.remove("dragging"));
stage.addEventListener("click", (event) => {
  const group = event.target.closest("g[data-id]");
  if (!group || (press && press.moved)) return;
  choose(group.dataset.id);
  if (event.target.closest(".head") && group.classList.contains("foldable")) toggleFold(group.dataset.id);
});
stage.addEventListener("dblclick", (event) => {
  const group = event.target.closest("g[data-id]");
  if (group && group.classList.contains("foldable") && !event.target.closest(".head")) toggleFold(group.dataset.id);
});
stage.addEventListener("pointerover", (event) => {
  const group = event.target.closest("g[data-id]");
  light(group ? group.dataset.id : null);
});
stage.addEventListener("wheel", (event) => {
  if (!event.ctrlKey && !event.metaKey) return;
  event.preventDefault();
  const place = stage.getBoundingClientRect();
  zoomTo(state.zoom * Math.exp(-event.deltaY / 300), event.clientX - place.left, event.clientY - place.top);
}, { passive: false });

byId("search").addEventListener("input", (event) => search(event.target.value));
byId("search").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && state.hits.length) goTo(state.current + (event.shiftKey ? -1 : 1));
});
byId("fold").addEventListener("click", () => foldAll(true));
byId("unfold").addEventListener("click", () => foldAll(false));
byId("in").addEventListener("click", () => zoomTo(state.zoom * 1.25));
byId("out").addEventListener("click", () => zoomTo(state.zoom / 1.25));
byId("fit").addEventListener("click", () => fit());
byId("toggle").addEventListener("click", (event) => {
  byId("beside").hidden = !byId("beside").hidden;
  event.currentTarget.setAttribute("aria-pressed", String(!byId("beside").hidden));
});

index(GRAPH.root, []);
render();
present();
